package agent

import (
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Codec is the language of exec credential plugins, implemented by
// agent/render with Kubernetes' own types.
type Codec interface {
	// Decode reads KUBERNETES_EXEC_INFO. Its error is an *ipc.Error.
	Decode(execInfo []byte) (Ask, error)

	// Encode returns an ExecCredential of that apiVersion, one that Decode gave.
	Encode(apiVersion string, expires time.Time) (Answer, error)
}

// An Answer is an ExecCredential that has its token still to get: it can be kept,
// and there is nothing in it to hide.
type Answer interface {
	// Append appends the answer with that token to b, and leaves no copy elsewhere.
	Append(b []byte, token ipc.Secret) []byte
}

// An Ask is what a caller of the plugin wants.
type Ask struct {
	APIVersion string
	Server     *ipc.Server // not yet canonical; nil: the caller does not say
}
