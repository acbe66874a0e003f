// Package packaging holds what is installed beside the programs. The code that
// installs the units embeds the very files that packages ship.
package packaging

import _ "embed"

// Units of systemd's user manager. They name /usr/bin/cwagent.
var (
	//go:embed systemd/cwagent.service
	Service string
	//go:embed systemd/cwagent.socket
	Socket string
)
