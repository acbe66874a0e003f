//go:build !docs

package main

import "os"

func main() { os.Exit(run()) }
