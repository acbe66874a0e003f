//go:build !linux

package main

import "fmt"

func coldStart(string, int) error {
	fmt.Println("\nfirst answer from a keyring: measured on Linux only")
	return nil
}
