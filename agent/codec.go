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

	// Encode writes an ExecCredential of that apiVersion, one that Decode gave.
	Encode(apiVersion string, token ipc.Secret, expires time.Time) ([]byte, error)
}

// An Ask is what a caller of the plugin wants.
type Ask struct {
	APIVersion string
	Server     *ipc.Server // not yet canonical; nil: the caller does not say
}
