package ipctest

import (
	"encoding/json"
	"testing"
	"time"
)

const (
	group = "client.authentication.k8s.io/"
	kind  = "ExecCredential"
)

// execCredential is as much of Kubernetes' ExecCredential as tests look at. It
// is spelled here a second time on purpose: a suite that used the daemon's own
// types could not tell when those are wrong.
type execCredential struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Cluster *execCluster `json:"cluster,omitempty"`
	} `json:"spec"`
	Status *execStatus `json:"status,omitempty"`
}

type execCluster struct {
	Server string `json:"server"`
	CA     []byte `json:"certificate-authority-data,omitempty"`
}

type execStatus struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expirationTimestamp"`
}

// ExecInfo returns a KUBERNETES_EXEC_INFO as kubectl sets it, of the version
// "v1" or "v1beta1"; with an empty url it names no cluster.
func ExecInfo(t testing.TB, version, url string, ca []byte) []byte {
	t.Helper()
	in := execCredential{APIVersion: group + version, Kind: kind}
	if url != "" {
		in.Spec.Cluster = &execCluster{Server: url, CA: ca}
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
