package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

// awsKeys compares "cwagent aws", whose keys are in the agent's memory, with the plugin,
// each start of one beside a start of the other.
func awsKeys(bin string, runs int) error {
	dir, err := os.MkdirTemp("", "cwbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	coreweave := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"AccessKeyId":"CWBENCH","SecretAccessKey":"cwobench","Token":"","Expiration":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	defer coreweave.Close()
	ca, config, socket := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "config.yaml"), filepath.Join(dir, "s", "agent.sock")
	text := fmt.Appendf(nil, "store: memory\ncoreweave: {endpoint: %q, caFile: %q}\n", coreweave.URL, ca)
	for path, b := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: coreweave.Certificate().Raw}), config: text} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{"CWAGENT_CONFIG": config, "CWAGENT_STATE_DIR": filepath.Join(dir, "state"), "CWAGENT_SOCKET": socket} {
		defer os.Setenv(name, os.Getenv(name))
		os.Setenv(name, value)
	}
	agent, err := start(filepath.Join(bin, "cwagent"), socket)
	if err != nil {
		return err
	}
	defer func() { agent.Process.Signal(os.Interrupt); agent.Wait() }()
	_, err = client.Client{Path: socket}.Add(context.Background(), ipc.AddRequest{
		Name: "bench-7", Secret: ipc.NewSecret("CW-SECRET-bench"), Expiry: ipc.ExpiryUnknown, Servers: []ipc.Server{{URL: server}}, Ephemeral: true, NoVerify: true,
	})
	if err != nil {
		return err
	}
	var ratios []float64
	for i := range runs + 20 {
		var took [2]time.Duration
		for p, c := range []*exec.Cmd{exec.Command(filepath.Join(bin, "cwagent-credential"), "bench-7"), exec.Command(filepath.Join(bin, "cwagent"), "aws", "bench-7")} {
			t := time.Now()
			if err := c.Run(); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			took[p] = time.Since(t)
		}
		if i >= 20 { // the first ones warm the caches
			ratios = append(ratios, ms(took[1])/ms(took[0]))
		}
	}
	slices.Sort(ratios)
	fmt.Printf("\naws / plugin       %.2f   (at most 4; keys from memory, the median of %d pairs)\n", ratios[runs/2], runs)
	return nil
}
