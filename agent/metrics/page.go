package metrics

import (
	"bytes"
	"strconv"
	"strings"
)

// kinds of families
const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram"
)

// A page is a document in Prometheus' text format.
type page struct {
	bytes.Buffer
	name string // of the family that is being written
}

// family begins the next one. Its name has the prefix of the program.
func (p *page) family(name, kind, help string) {
	p.name = name
	p.WriteString("# HELP " + name + " " + helpEscape.Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
}

// sample writes one of the family, with label names and values in turn. What suffix
// is added to its name is for histograms.
func (p *page) sample(suffix string, value float64, labels ...string) {
	p.WriteString(p.name + suffix)
	for i := 0; i < len(labels); i += 2 {
		open := byte(',')
		if i == 0 {
			open = '{'
		}
		p.WriteByte(open)
		p.WriteString(labels[i] + `="` + valueEscape.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	p.WriteString(" " + number(value) + "\n")
}

// number is written in full: people read it, too.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

var (
	helpEscape  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	valueEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)
