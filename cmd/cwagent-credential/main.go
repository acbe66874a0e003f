// Command cwagent-credential is the exec credential plugin that kubeconfigs
// refer to; package credplugin is all of it.
package main

import (
	"os"

	"github.com/cwagent/cwagent/credplugin"
)

func main() { os.Exit(credplugin.Run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }
