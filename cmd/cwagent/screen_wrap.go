package main

import (
	"slices"
	"strings"
)

// wrap breaks text at blanks where it is wider than the terminal, but not within a
// command; the lines after the first are indented as far as before is wide.
func (v view) wrap(before, text string, b brush) []string {
	return v.wrapWords(before, unbroken(text), b)
}

// copied are the first words of what somebody may want to copy.
var copied = []string{"cwagent", "systemctl"}

// unbroken are the words of a text, in which a command is one. Where one ends a comma or
// a semicolon says, else the text.
func unbroken(text string) (words []string) {
	within := false
	for word := range strings.SplitSeq(text, " ") {
		if within {
			words[len(words)-1] += " " + word
		} else {
			words = append(words, word)
		}
		within = (within || slices.Contains(copied, word)) && !strings.HasSuffix(word, ";") && !strings.HasSuffix(word, ",")
	}
	return words
}

// wrapWords is wrap for words that are told apart already. One that is too wide stays
// whole, and the terminal breaks it: it is a command or an address, and can be copied so.
// Only in a picture that is drawn over and over each line is one of the terminal's.
func (v view) wrapWords(before string, words []string, b brush) (lines []string) {
	indent := strings.Repeat(" ", runes.StringWidth(before))
	room := max(v.width-len(indent), 1)
	if v.height > 0 {
		words = v.fitting(words, room)
	}
	line := ""
	flush := func() {
		whole := line
		if v.height > 0 && v.width > 0 {
			whole = v.cutTo(line, room)
		}
		lines = append(lines, before+b.on(whole))
		before, line = indent, ""
	}
	for _, word := range words {
		if line != "" && v.width > 0 && runes.StringWidth(line+" "+word) > room {
			flush()
		}
		if line != "" {
			word = " " + word
		}
		line += word
	}
	flush()
	return lines
}

// fitting breaks the copied that have no room on a line of their own.
func (v view) fitting(words []string, room int) (out []string) {
	for _, word := range words {
		if v.width > 0 && runes.StringWidth(word) > room {
			out = append(out, strings.Split(word, " ")...)
		} else {
			out = append(out, word)
		}
	}
	return out
}
