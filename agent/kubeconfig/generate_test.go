package kubeconfig

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// A node is a part of a kubeconfig that is still to be written down.
type node struct {
	keys   []string // of a mapping, with items
	items  []*node  // of a mapping or a list
	list   bool
	scalar string
	plain  bool   // a scalar that is not a string
	anchor string // this node's, or the one that it is an alias of
	alias  bool
	edited bool // a scalar that Edit is going to change
	secret bool // a mapping whose token Edit is going to change
}

func str(s string) *node { return &node{scalar: s} }

func mapping(pairs ...any) *node {
	n := &node{}
	for i := 0; i < len(pairs); i += 2 {
		n.keys, n.items = append(n.keys, pairs[i].(string)), append(n.items, pairs[i+1].(*node))
	}
	return n
}

func listOf(items ...*node) *node { return &node{list: true, items: items} }

// A piece is text that Edit has to keep, or else to change.
type piece struct {
	text   string
	edited bool
}

// A writer writes nodes down in one of the many ways in which people and
// programs write YAML.
type writer struct {
	*rand.Rand
	pieces []piece
	eol    string
	step   string // indentation
	dash   string // of a list item
	json   bool
	pretty bool
}

func newWriter(r *rand.Rand) *writer {
	w := &writer{Rand: r, eol: "\n", step: strings.Repeat(" ", 1+r.IntN(4)), dash: "-" + strings.Repeat(" ", 1+r.IntN(3))}
	if w.chance(4) {
		w.eol = "\r\n"
	}
	if w.chance(6) {
		w.json, w.pretty = true, w.chance(2)
	}
	if w.chance(8) {
		w.put("\ufeff")
	}
	return w
}

func (w *writer) chance(oneIn int) bool { return w.IntN(oneIn) == 0 }

func (w *writer) oneOf(all ...string) string { return all[w.IntN(len(all))] }

func (w *writer) put(text string) { w.add(piece{text, false}) }

func (w *writer) add(p piece) {
	if last := len(w.pieces) - 1; last >= 0 && !p.edited && !w.pieces[last].edited {
		w.pieces[last].text += p.text
		return
	}
	w.pieces = append(w.pieces, p)
}

func (w *writer) text() string {
	var b strings.Builder
	for _, p := range w.pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// remark ends a line, perhaps behind a comment and with more lines of them.
func (w *writer) remark(indent string) {
	if w.chance(5) {
		w.put(w.oneOf("  ", " ", "\t") + w.comment())
	}
	if w.chance(8) {
		w.put(" ")
	}
	w.put(w.eol)
	for w.chance(8) {
		w.put(w.oneOf("", indent+w.comment(), w.comment(), "   ") + w.eol)
	}
}

func (w *writer) comment() string {
	return w.oneOf("#", "# token: CW-SECRET-old", "# ä \u4f60\u597d \U0001f600", `# "quotes' {[`, "#- name: token", "# users:", "#\tx\t", "# exec: {")
}

var (
	bare   = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@-]*( [a-z]+)?$`)
	escape = regexp.MustCompile(`[A-Za-z-]`)
)

// spell writes a string down in one of the ways that it can be.
func (w *writer) spell(s string) string {
	b, _ := json.Marshal(s)
	quoted := string(b)
	switch {
	case w.json:
		return quoted
	case bare.MatchString(s) && !w.chance(3):
		return s
	case w.chance(2):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case w.chance(4) && !strings.Contains(quoted, `\`):
		return escape.ReplaceAllStringFunc(quoted, func(c string) string {
			if w.chance(4) {
				return fmt.Sprintf(w.oneOf(`\x%02x`, `\x%02X`, `\u00%02x`, `\U000000%02X`), c)
			}
			return c
		})
	}
	return quoted
}

// key writes a key with its colon.
func (w *writer) key(k string) string {
	switch {
	case w.json:
		return w.spell(k) + ":" + w.oneOf("", " ")
	case w.chance(8):
		return w.oneOf(`"`+k+`"`, "'"+k+"'") + w.oneOf(": ", " : ", ":  ")
	}
	return k + w.oneOf(": ", ": ", ": ", " : ", ":   ")
}

// flow writes a node on one line.
func (w *writer) flow(n *node, indent string) {
	nl := w.oneOf("", " ")
	if w.json && w.pretty {
		nl = w.eol + indent + w.step
	}
	switch {
	case n.alias:
		w.put("*" + n.anchor + " ")
		return
	case n.anchor != "":
		w.put("&" + n.anchor + " ")
	}
	switch {
	case n.list:
		w.put("[")
	case n.items != nil:
		w.put("{")
	case n.plain:
		w.put(n.scalar)
		return
	default:
		w.add(piece{w.spell(n.scalar), n.edited})
		return
	}
	for i, item := range n.items {
		if i > 0 {
			w.put("," + w.oneOf(" ", "  "))
		}
		w.put(nl)
		switch {
		case n.list:
		case n.secret && n.keys[i] == "token":
			w.add(piece{w.key("token") + w.spell(item.scalar), true})
			continue
		default:
			w.put(w.key(n.keys[i]))
		}
		w.flow(item, indent+w.step)
	}
	w.put(strings.TrimSuffix(nl, w.step) + map[bool]string{true: "]", false: "}"}[n.list])
}

// block writes a node over several lines; the first begins where the writer is.
func (w *writer) block(n *node, indent string) {
	for i, item := range n.items {
		if i > 0 {
			w.put(indent)
		}
		if n.list {
			w.put(w.dash)
			w.inner(item, indent+strings.Repeat(" ", len(w.dash)), true)
			continue
		}
		if n.secret && n.keys[i] == "token" {
			w.add(piece{w.key("token") + w.spell(item.scalar), true})
			w.put(w.oneOf("", " ", " "+w.comment()))
			w.add(piece{"", true}) // where the block will stand
			w.remarkless(indent)
			continue
		}
		w.put(w.key(n.keys[i]))
		w.inner(item, indent, false)
	}
}

// remarkless ends a line and may add comments below it.
func (w *writer) remarkless(indent string) {
	w.put(w.eol)
	if w.chance(6) {
		w.put(indent + w.comment() + w.eol)
	}
}

// inner writes what stands behind a key or a dash, to the end of the line or of
// the block.
func (w *writer) inner(n *node, indent string, dash bool) {
	if n.items == nil || n.alias || w.chance(3) && !(n.list && len(n.items) > 2) {
		w.flow(n, indent)
		w.remark(indent)
		return
	}
	if dash {
		w.block(n, indent)
		return
	}
	if n.anchor != "" {
		w.put("&" + n.anchor)
	}
	w.remark(indent)
	if !n.list || w.chance(2) {
		indent += w.step
	}
	w.put(indent)
	w.block(n, indent)
}
