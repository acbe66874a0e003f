// Package render speaks the language of exec credential plugins with
// Kubernetes' own types, v1 and v1beta1. It is the only importer of
// k8s.io/client-go/pkg/apis/clientauthentication: the plugin, which starts at
// every kubectl, must not pay for that.
package render

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	v1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const kind = "ExecCredential"

// Codec implements agent.Codec.
type Codec struct{}

var _ agent.Codec = Codec{}

// Decode implements agent.Codec. The two versions differ in nothing that is
// read here.
func (Codec) Decode(execInfo []byte) (agent.Ask, error) {
	if len(execInfo) == 0 {
		return agent.Ask{}, malformed("KUBERNETES_EXEC_INFO: not set",
			"kubectl runs this program; by hand use: cwagent status, cwagent token NAME")
	}
	var in v1.ExecCredential
	if err := json.Unmarshal(execInfo, &in); err != nil {
		return agent.Ask{}, malformed("KUBERNETES_EXEC_INFO: not an ExecCredential in JSON",
			"kubectl sets it; another program that does so has a fault")
	}
	if in.Kind != kind {
		return agent.Ask{}, malformed("KUBERNETES_EXEC_INFO: kind "+short(in.Kind)+" is not "+kind,
			"kubectl sets it; another program that does so has a fault")
	}
	switch in.APIVersion {
	case v1.SchemeGroupVersion.String(), v1beta1.SchemeGroupVersion.String():
	default:
		return agent.Ask{}, malformed("KUBERNETES_EXEC_INFO: apiVersion "+short(in.APIVersion)+" is unknown",
			"in the kubeconfig: apiVersion: "+v1.SchemeGroupVersion.String())
	}
	ask := agent.Ask{APIVersion: in.APIVersion}
	if c := in.Spec.Cluster; c != nil {
		ask.Server = &ipc.Server{
			URL: c.Server, TLSServerName: c.TLSServerName, ProxyURL: c.ProxyURL,
			Insecure: c.InsecureSkipTLSVerify, CASHA256: agent.Fingerprint(c.CertificateAuthorityData),
		}
	}
	return ask, nil
}

// Encode implements agent.Codec.
func (Codec) Encode(apiVersion string, expires time.Time) (agent.Answer, error) {
	// What JSON is made in has room for the next one's, and so leaves copies.
	const place, spelled = "\x00", `\u0000`
	ts := metav1.NewTime(expires)
	meta := metav1.TypeMeta{Kind: kind, APIVersion: apiVersion}
	var whole any = v1.ExecCredential{
		TypeMeta: meta,
		Status:   &v1.ExecCredentialStatus{Token: place, ExpirationTimestamp: &ts},
	}
	if apiVersion == v1beta1.SchemeGroupVersion.String() {
		whole = v1beta1.ExecCredential{
			TypeMeta: meta,
			Status:   &v1beta1.ExecCredentialStatus{Token: place, ExpirationTimestamp: &ts},
		}
	}
	out, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	before, after, _ := strings.Cut(string(out), spelled)
	return &answer{before, after}, nil
}

// answer is an ExecCredential without its token.
type answer struct{ before, after string }

// Append implements agent.Answer.
func (a *answer) Append(b []byte, token ipc.Secret) []byte {
	b = slices.Grow(b, len(a.before)+token.Len()+len(a.after)) // before anything is in it that a copy would stay of
	b = append(b, a.before...)
	from := len(b)
	b = token.Append(b)
	if slices.ContainsFunc(b[from:], escaped) { // no token that is known to us
		quoted, _ := json.Marshal(string(b[from:])) // a string has no way to fail
		b = append(b[:from], quoted[1:len(quoted)-1]...)
		clear(quoted)
	}
	return append(b, a.after...)
}

// escaped reports whether package json may spell c in another way.
func escaped(c byte) bool {
	switch c {
	case '"', '\\', '<', '>', '&':
		return true
	}
	return c < ' ' || c > '~'
}

func malformed(what, hint string) error {
	return &ipc.Error{Code: ipc.CodeMalformed, What: what, Hint: hint}
}

// short quotes a value from outside, bounded.
func short(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return strconv.QuoteToASCII(s)
}
