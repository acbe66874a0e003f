//go:build !linux && !darwin

package kubeconfig

// sharedFilesystems is empty where the system is not asked.
var sharedFilesystems = map[string]string{}

func filesystem(string) (string, bool) { return "", false }
