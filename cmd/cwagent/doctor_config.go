package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent/cleartext"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/ipc"
)

func lookConfig(_ context.Context, p *subject) []finding {
	_, err := p.config()
	if err == nil {
		s, _ := p.status()
		if s.Config != "" { // of an agent with another environment
			return []finding{{Grade: gradeBroken, Cause: "the agent's config is not in force", Proof: s.Config, Mend: "correct it: the agent reads it again by itself"}}
		}
		return nil
	}
	f := finding{Grade: gradeBroken, Cause: "config.yaml is not in force", Proof: err.Error(), Mend: "correct it: the agent reads it again by itself"}
	var e *ipc.Error
	if errors.As(err, &e) && e.Hint != "" {
		f.Mend = e.Hint
	}
	return []finding{f}
}

// lookSources looks whether that is there from which the next tokens come.
func lookSources(_ context.Context, p *subject) (found []finding) {
	cfg, err := p.config()
	if err != nil {
		return []finding{unchecked("config.yaml cannot be read")}
	}
	for _, c := range cfg.Credentials {
		if cmd := c.Source.Command; cmd != nil && !executable(cmd.Argv[0]) {
			found = append(found, finding{Grade: gradeBroken, Cause: fmt.Sprintf("the program that gives the next token of %s is not there", c.Name),
				Proof: configPlace(p) + ", credential " + c.Name + ": " + cmd.Argv[0] + ": not an executable file",
				Mend:  "install it, or correct source.command.argv there"})
		}
		if file := c.Source.File; file != nil {
			if _, err := os.Stat(file.Path); err != nil {
				found = append(found, finding{Grade: gradeWarning, Cause: fmt.Sprintf("the file that has the next token of %s is not there", c.Name),
					Proof: configPlace(p) + ", credential " + c.Name + ": " + err.Error(), Mend: "look at what writes it; it is waited for"})
			}
		}
	}
	return found
}

// metricsWait is how long an agent may take until there is a file: it tries all the time.
const metricsWait = 20 * time.Second

// lookMetrics looks for the file of an agent that has had time to write it: without one a
// monitor sees nothing, and no alarm.
func lookMetrics(_ context.Context, p *subject) []finding {
	cfg, err := p.config()
	if err != nil {
		return []finding{unchecked("config.yaml cannot be read")}
	}
	if cfg.Textfile == "" {
		return nil
	}
	s, err := p.status()
	if err != nil {
		return []finding{noAgent(err)}
	}
	_, err = os.Stat(filepath.Dir(cfg.Textfile))
	if err == nil && p.now().Sub(s.Agent.Started) > metricsWait {
		_, err = os.Stat(cfg.Textfile)
	}
	if err == nil {
		return nil
	}
	return []finding{{Grade: gradeWarning, Cause: "metrics are not written: whoever watches them sees nothing", Proof: configPlace(p) + ", metrics.textfile: " + err.Error(),
		Mend: "make that folder one that you can write to, or correct the path: the agent tries again by itself, and its log says why it cannot"}}
}

func configPlace(p *subject) string {
	path, err := config.Path(p.getenv)
	if err != nil {
		return "config.yaml"
	}
	return path
}

func lookEnvironment(_ context.Context, p *subject) []finding {
	var set []string
	for _, name := range cleartext.Known {
		if p.getenv(name) != "" {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return nil
	}
	return []finding{{Grade: gradeWarning, Cause: "a token is in the environment, where every program that you start has it, and where it beats what a program is told otherwise",
		Proof: strings.Join(set, ", ") + ": set in this shell",
		Mend:  "unset it here, and take it out of what sets it (cwagent import --scan finds that); cwagent run NAME -- COMMAND gives it to one program", Command: "unset " + strings.Join(set, " ")}}
}
