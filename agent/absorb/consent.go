package absorb

import "github.com/cwagent/cwagent/agent/state"

// consentFile is the name of what a Consent keeps in the state folder.
const consentFile = "consent.json"

// A Consent is whether the person has agreed that tokens are taken out of
// downloads without being asked each time. It is kept in the state folder Dir:
// the first import at a terminal asks, the agent only reads it.
type Consent struct{ Dir string }

// consentForm is what the file holds. Version 1: the first.
type consentForm struct {
	Version   int  `json:"version"`
	Downloads bool `json:"downloads"`
}

func (c Consent) file() state.File {
	return state.File{Dir: c.Dir, Name: consentFile, Version: 1, Lost: "remove it: the next import asks again"}
}

// Load returns what the person has said; asked is false where nobody has asked
// yet.
func (c Consent) Load() (agreed, asked bool, err error) {
	var in consentForm
	err = c.file().Load(&in)
	return in.Downloads, in.Version > 0, err
}

// Save keeps what the person has said. It does not replace a file that Load refuses.
func (c Consent) Save(agreed bool) error {
	if _, _, err := c.Load(); err != nil {
		return err
	}
	return c.file().Save(consentForm{1, agreed})
}
