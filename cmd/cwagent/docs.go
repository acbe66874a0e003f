//go:build docs

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"github.com/cwagent/cwagent/agent/config"
)

// main of this build writes what is installed of the commands' own help: man
// pages and completions, below the folder that its argument names, as below
// /usr/share. It wants to run in the root of the source. It is a build of its own, so
// that the program that people run need not link what makes man pages.
func main() {
	c := &cli{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now}
	root := newRoot(c)
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true
	err := writeCompletions(root, os.Args[1])
	if err == nil {
		toMarkdown(root)
		err = pages{filepath.Join(os.Args[1], "man"), pageDate()}.writeAll(root)
	}
	os.Exit(c.report(err))
}

func writeCompletions(root *cobra.Command, share string) error {
	for file, write := range map[string]func(string) error{
		"bash-completion/completions/cwagent":    func(f string) error { return root.GenBashCompletionFileV2(f, true) },
		"zsh/site-functions/_cwagent":            root.GenZshCompletionFile,
		"fish/vendor_completions.d/cwagent.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
	} {
		file = filepath.Join(share, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := write(file); err != nil {
			return err
		}
	}
	return nil
}

// pages go below dir, with a date.
type pages struct {
	dir  string
	date time.Time
}

// pageDate is SOURCE_DATE_EPOCH, or now.
func pageDate() time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(s, 0).UTC()
	}
	return time.Now()
}

// writeAll writes a page for each command, from its help, and those that are written
// by hand: packaging/man/NAME.SECTION.md, also that of root.
func (p pages) writeAll(root *cobra.Command) error {
	for _, sub := range root.Commands() {
		if err := p.command(sub); err != nil {
			return err
		}
	}
	hand, err := filepath.Glob("packaging/man/*.md")
	if err != nil || len(hand) == 0 {
		return cmp.Or(err, fail("run it in the root of the source", "no pages in packaging/man"))
	}
	fill := strings.NewReplacer("@COMMANDS@\n", commandList(root), "@KEYS@\n", keyList(), "@SAMPLE@\n", sample())
	for _, path := range hand {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		title, section := strings.ToUpper(strings.TrimSuffix(name, filepath.Ext(name))), filepath.Ext(name)[1:]
		head := fmt.Sprintf("%% %q %q %q %q %q\n", title, section, p.date.Format("Jan 2006"), "cwagent "+version, "cwagent")
		if err := p.write(name, md2man.Render([]byte(head+fill.Replace(string(text))))); err != nil {
			return err
		}
	}
	return nil
}

// command writes the page of cmd, a command or a topic of help, and of those below.
func (p pages) command(cmd *cobra.Command) error {
	if !cmd.IsAvailableCommand() && !cmd.IsAdditionalHelpTopicCommand() {
		return nil
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Date: &p.date, Source: "cwagent " + version, Manual: "cwagent"}, &page); err != nil {
		return err
	}
	// "--yes[=false]" is how pflag says that a flag is a switch.
	if err := p.write(name+".1", bytes.ReplaceAll(page.Bytes(), []byte("[=false]"), nil)); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if err := p.command(sub); err != nil {
			return err
		}
	}
	return nil
}

func (p pages) write(name string, text []byte) error {
	file := filepath.Join(p.dir, "man"+filepath.Ext(name)[1:], name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// commandList is a line for each command.
func commandList(cmd *cobra.Command) (text string) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			text += fmt.Sprintf("**%s**\n: %s.\n\n%s", escape.Replace(sub.CommandPath()), escape.Replace(sub.Short), commandList(sub))
		}
	}
	return text
}

// keyList explains each key of config.yaml.
func keyList() (text string) {
	for _, k := range config.Keys {
		of := k.Type
		if k.Default != "" {
			of += "; default " + k.Default
		}
		text += fmt.Sprintf("**%s** (%s)\n: %s\n\n", escape.Replace(k.Path), escape.Replace(of), escape.Replace(k.Meaning))
	}
	return text
}

// sample is the config.yaml of the README, which a test judges, indented as there.
func sample() string {
	readme, _ := os.ReadFile("README.md")
	_, after, _ := strings.Cut(string(readme), "`config.yaml`, all of it optional")
	return regexp.MustCompile(`(?m)(^    .*\n)+`).FindString(after)
}

// toMarkdown has the help of cmd and of all below it read as it was meant: cobra
// takes it for Markdown.
func toMarkdown(cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	cmd.Long = markdown(cmd.Long)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = escape.Replace(f.Usage) })
	for _, sub := range cmd.Commands() {
		toMarkdown(sub)
	}
}

var escape = strings.NewReplacer("*", `\*`, "_", `\_`, "`", "\\`", "<", `\<`, "[", `\[`, "]", `\]`)

// markdown keeps indented lines of a help text as they stand and escapes the others.
func markdown(text string) string {
	var b strings.Builder
	block := false
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
		if indented != block {
			b.WriteString("\n")
		}
		if block = indented; block {
			b.WriteString("  " + line)
		} else {
			b.WriteString(escape.Replace(line))
		}
	}
	return b.String()
}
