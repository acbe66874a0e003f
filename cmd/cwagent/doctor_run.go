package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// lookTime is how long a check may take. All run at once, so that it is also how long
// they take together.
const lookTime = 2500 * time.Millisecond

// A diagnosis is what came of the checks.
type diagnosis struct {
	Checks []examined
	Fixes  []fixed
}

// An examined check is one that has looked.
type examined struct {
	Name     string    `json:"name"`
	State    grade     `json:"state"`
	Findings []finding `json:"findings"`
}

// A fixed finding is one that --fix has tried to mend.
type fixed struct {
	Check string `json:"check"`
	Cause string `json:"cause"`
	Done  bool   `json:"done"`
	Error string `json:"error,omitempty"`
}

// examine has all checks look at once. One that does not come to an end, because a file
// system or a program does not answer, is left behind and said.
func (c *cli) examine(ctx context.Context, these []check) []examined {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	p := c.newSubject(ctx)
	out := make([]examined, len(these))
	var wait sync.WaitGroup
	for i, k := range these {
		wait.Go(func() {
			found, err := interruptible(ctx, func() ([]finding, error) { return k.look(ctx, p), nil })
			if err != nil {
				found = []finding{unchecked("it did not come to an end within %s", lookTime)}
			}
			out[i] = examined{Name: k.name, State: gradeOK, Findings: append([]finding{}, found...)}
			for j := range out[i].Findings {
				out[i].Findings[j].tidy()
			}
			out[i].State = worst(out[i].Findings)
		})
	}
	wait.Wait()
	return out
}

// tidy makes a finding fit to be shown: what stands in files may be in it.
func (f *finding) tidy() {
	for _, s := range []*string{&f.Cause, &f.Proof, &f.Mend, &f.Command} {
		*s = kubeconfig.HideTokens(printableLine(*s))
	}
	f.Fixable = f.fix != nil
}

// unchecked is about what could not be looked at, and counts as a warning.
func unchecked(format string, args ...any) finding {
	return finding{Grade: gradeUnchecked, Cause: fmt.Sprintf(format, args...)}
}

// notHere is about what this machine has not got, and does not count.
func notHere(format string, args ...any) finding {
	f := unchecked(format, args...)
	f.spare = true
	return f
}

var grades = []grade{gradeOK, gradeUnchecked, gradeWarning, gradeBroken}

func worst(found []finding) grade {
	is := 0
	for _, f := range found {
		is = max(is, slices.Index(grades, f.Grade))
	}
	return grades[is]
}

// state is the worst of what counts.
func (d *diagnosis) state() grade {
	var all []finding
	for _, k := range d.Checks {
		all = append(all, k.Findings...)
	}
	return worst(slices.DeleteFunc(all, func(f finding) bool { return f.spare }))
}

func (d *diagnosis) exit() int {
	switch d.state() {
	case gradeOK:
		return 0
	case gradeBroken:
		return 2
	}
	return 1
}

func (d *diagnosis) printJSON(out io.Writer) error {
	return writeJSON(out, struct {
		State  grade      `json:"state"`
		Checks []examined `json:"checks"`
		Fixes  []fixed    `json:"fixes,omitzero"` // with --fix, though it be none
	}{d.state(), d.Checks, d.Fixes})
}

// print shows what is wrong, the worst first, then in a line each what could not be
// looked at and what is well.
func (d *diagnosis) print(out io.Writer, v view) {
	for _, g := range []grade{gradeBroken, gradeWarning} {
		for _, s := range d.said(g) {
			s.print(out, v)
		}
	}
	var well, unknown []string
	about := map[string][]string{} // by why they were not looked at
	for _, k := range d.Checks {
		if k.State == gradeOK {
			well = append(well, k.Name)
		}
		for _, f := range k.Findings {
			if f.Grade != gradeUnchecked {
				continue
			}
			if about[f.Cause] == nil {
				unknown = append(unknown, f.Cause)
			}
			about[f.Cause] = append(about[f.Cause], k.Name)
		}
	}
	for _, cause := range unknown {
		printWrapped(out, v.wrap("not checked: ", strings.Join(about[cause], ", ")+": "+cause, nil))
	}
	if len(well) > 0 {
		printWrapped(out, v.wrap("ok: ", strings.Join(well, ", "), nil))
	}
}

// A said finding is one that several checks have, or one about several things.
type said struct {
	finding
	checks, seen []string
}

// said are the findings of a grade, what is the same but for what was seen once.
func (d *diagnosis) said(g grade) (all []*said) {
	type key struct{ cause, mend, command string }
	at := map[key]*said{}
	for _, k := range d.Checks {
		for _, f := range k.Findings {
			if f.Grade != g {
				continue
			}
			is := key{f.Cause, f.Mend, f.Command}
			if at[is] == nil {
				at[is] = &said{finding: f}
				all = append(all, at[is])
			}
			s := at[is]
			s.checks, s.seen = with(s.checks, k.Name), with(s.seen, f.Proof)
		}
	}
	return all
}

func with(all []string, s string) []string {
	if s == "" || slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}

func (s *said) print(out io.Writer, v view) {
	printWrapped(out, v.wrap(string(s.Grade)+": ", strings.Join(s.checks, ", ")+": "+s.Cause, nil))
	for _, seen := range s.seen {
		printWrapped(out, v.wrap("  seen: ", seen, nil))
	}
	var words []string
	switch {
	case s.Command == "":
		words = unbroken(s.Mend)
	case s.Mend == "":
		words = []string{s.Command}
	default:
		words = append(unbroken(s.Mend+":"), s.Command)
	}
	if s.Fixable {
		words = append(words, "(--fix", "does", "it)")
	}
	printWrapped(out, v.wrapWords("  mend: ", words, nil))
}

func printWrapped(out io.Writer, lines []string) {
	io.WriteString(out, strings.Join(lines, "\n")+"\n")
}
