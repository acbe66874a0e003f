package store

import (
	"context"
	"errors"

	"golang.org/x/sys/windows"

	"github.com/cwagent/cwagent/agent"
)

// nativeLimit is below CRED_MAX_CREDENTIAL_BLOB_SIZE, 2,560.
const nativeLimit = 2500

const nativeIs = "the Credential Manager of Windows"

// platformAnswer reads an error of the Cred functions.
func platformAnswer(err error) error {
	if errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION) { // a network logon, as over ssh: it has no credentials
		return agent.ErrAbsent
	}
	return agent.ErrRefused
}

// unlock: the Credential Manager is open as long as the person is logged on.
func unlock(context.Context) error { return nil }
