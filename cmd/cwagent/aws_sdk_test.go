package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

// awsKeys is a program of somebody's that uses AWS's SDK, with the profile that its
// environment names: awskeys 10s. It wants keys again and again for so long, as each
// request to a bucket does, and says from where they came, how many they were, and
// which the last one is.
func awsKeys() {
	during, err := time.ParseDuration(os.Args[1])
	if err == nil {
		err = wantAWSKeys(context.Background(), during)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func wantAWSKeys(ctx context.Context, during time.Duration) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	requests := time.NewTicker(20 * time.Millisecond)
	defer requests.Stop()
	seen := map[string]bool{}
	for end := time.Now().Add(during); ; <-requests.C {
		asked := time.Now()
		keys, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		if !keys.CanExpire || keys.Expires.Before(asked) || keys.SecretAccessKey == "" || keys.SessionToken == "" {
			return fmt.Errorf("not keys that live: %s, until %v", keys.AccessKeyID, keys.Expires)
		}
		if seen[keys.AccessKeyID] = true; !time.Now().Before(end) {
			fmt.Println(keys.Source, len(seen), keys.AccessKeyID)
			return nil
		}
	}
}
