package notice

import (
	"time"

	"github.com/cwagent/cwagent/agent/state"
)

// A form is the file. The agent writes what it has shown, and a command what it has
// said to a terminal.
type form struct {
	Version int                  `json:"version"`
	Server  string               `json:"server,omitempty"` // whose the numbers are
	Shown   Memory               `json:"shown,omitempty"`
	Said    map[string]time.Time `json:"said,omitempty"` // by the key of the matter
}

// File is the file of this machine in the state folder dir: of machines that share a
// HOME each has a screen of its own.
func File(dir string) state.File {
	return state.File{
		Dir: dir, Name: "notices-" + state.Host() + ".json", Version: 1,
		Lost: "remove it: what was shown is then shown once more",
	}
}

// read is what the file holds.
func read(f state.File) (form, error) {
	is := form{Version: 1}
	err := f.Load(&is)
	if is.Shown == nil {
		is.Shown = Memory{}
	}
	if is.Said == nil {
		is.Said = map[string]time.Time{}
	}
	return is, err
}

// change changes the file, which nobody else does meanwhile.
func change(f state.File, what func(*form)) error {
	unlock, err := f.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	is, err := read(f)
	if err != nil {
		return err
	}
	what(&is)
	return f.Save(is)
}
