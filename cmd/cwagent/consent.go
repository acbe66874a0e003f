package main

import (
	"context"
	"fmt"

	"github.com/cwagent/cwagent/agent/absorb"
)

// askConsent asks once, after the first import by a person, what is to become of
// the next download. Whoever gives no answer is asked again another time.
func (p *planner) askConsent(ctx context.Context) error {
	consent := absorb.Consent{Dir: p.folder.Dir}
	if _, asked, err := consent.Load(); err != nil || asked || p.flags.yes || !terminal(p.in) {
		return err
	}
	fmt.Fprintln(p.err, "The agent can take tokens out of new downloads of the Console by itself, as successors of those that it has.")
	yes, err := p.ask(ctx, "Is it to do that from now on?")
	if err != nil {
		return nil // what was asked for is done
	}
	return consent.Save(yes)
}
