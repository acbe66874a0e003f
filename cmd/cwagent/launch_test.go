package main

import (
	"slices"
	"testing"
)

// Nothing that may be a secret is written down for the next start.
func TestLaunchEnv(t *testing.T) {
	t.Parallel()
	kept := []string{
		"HOME=/home/jane", "LC_CTYPE=C", "https_proxy=http://proxy.example:3128/", "HTTP_PROXY=proxy:3128", "ALL_PROXY=socks5h://[fd00::1]:1080",
		"http_proxy=http://10.0.0.1", "NO_PROXY=localhost,.example.com, 10.0.0.0/8,[::1]:80,*", "no_proxy=",
	}
	dropped := []string{
		"VAULT_TOKEN=s3cr3t", "CWAGENT_SOCKET=/x", "LD_PRELOAD=/x",
		"https_proxy=http://jane:s3cr3t@proxy:3128", "https_proxy=http://s3cr3t@proxy", "HTTPS_PROXY=http://proxy/?token=s3cr3t",
		"HTTPS_PROXY=http://proxy:3128?s3cr3t", "all_proxy=http://proxy/s3cr3t", "ALL_PROXY=http://proxy/#s3cr3t", "http_proxy=jane:s3cr3t",
		"HTTP_PROXY=http://proxy%2fs3cr3t", "HTTP_PROXY=http://proxy\n", "NO_PROXY=a,jane:x@b", "no_proxy=a?token=s3cr3t",
	}
	if got := launchEnv(append(slices.Clone(kept), dropped...)); !slices.Equal(got, kept) {
		t.Errorf("%q", got)
	}
}
