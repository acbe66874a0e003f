//go:build docs

package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// main of this build writes what packages have of the commands' own help: man
// pages and completions, below the folder that its argument names, as below
// /usr/share. It is a build of its own, so that the program that people run need
// not link what makes man pages.
func main() {
	c := &cli{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now}
	root := newRoot(c)
	root.InitDefaultCompletionCmd()
	err := writeCompletions(root, os.Args[1])
	if err == nil {
		err = writePages(root, filepath.Join(os.Args[1], "man", "man1"))
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

// writePages writes a man page for each command. SOURCE_DATE_EPOCH dates them.
func writePages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	root.Long += "\n\nSee also cwagent-credential(1), which kubectl runs, and cwagent-config(5)."
	toMarkdown(root)
	return doc.GenManTree(root, &doc.GenManHeader{Source: "cwagent " + version, Manual: "cwagent"}, dir)
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
