package main

import "github.com/cwagent/cwagent/agent/shell"

// quotedWord writes s for a command line that a person may copy.
func quotedWord(s string) string { return shell.Word(s) }

// quotedWords is quotedWord for a whole command.
func quotedWords(words []string) string { return shell.Words(words...) }
