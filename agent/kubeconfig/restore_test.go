package kubeconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/cwagent/cwagent/ipc"
)

// imported is a kubeconfig before and after an import.
type imported struct {
	before   *File
	changes  []Change
	tokens   map[string]string // by credential
	text     []byte            // afterwards
	undo     []Undo
	restored []byte
}

func (in *imported) read(text []byte) *File { return &File{Path: "config", text: text} }

// restore restores what text has become, with those tokens.
func (in *imported) restore(text []byte, undo []Undo, token func(string) string) ([]Restored, error) {
	f := in.read(text)
	if err := f.parse(); err != nil {
		return nil, err
	}
	out, users, err := f.Restore(undo, func(c string) (ipc.Secret, error) { return ipc.NewSecret(token(c)), nil })
	in.restored = out
	return users, err
}

// back is the token that stood in the file; another is a newer one.
func (in *imported) back(credential string) string { return in.tokens[credential] }

func (in *imported) another(credential string) string {
	if n := len(in.tokens[credential]); n%2 == 0 {
		return "CW-SECRET-fresh"
	}
	return `it's "new": #{\`
}

// laws states what holds for every import.
func (in *imported) laws() error {
	for name, law := range map[string]func() error{
		"restore(import(x)) == x":                               in.restoresAll,
		"restore(rotate(import(x))) differs in token bytes":     in.restoresAnother,
		"import(import(x)) == import(x)":                        in.importsOnce,
		"undo data and what is stored of it holds no token":     in.redacted,
		"our users are restored after client-go wrote the file": in.restoresReencoded,
		"our users are restored after the file became JSON":     in.restoresJSON,
		"our users are restored without undo data":              in.restoresBlindly,
	} {
		if err := law(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	in.restored = nil
	return nil
}

func (in *imported) restoresAll() error {
	users, err := in.restore(in.text, in.stored(), in.back)
	if err != nil {
		return err
	}
	for i, c := range in.changes {
		was := in.before.Users[c.User].Name
		if now := users[i]; now.User != was || !now.Exact || now.Credential != c.Exec.Credential {
			return fmt.Errorf("%+v, want user %q", now, was)
		}
	}
	if !bytes.Equal(in.restored, in.before.text) {
		return errors.New("it is not")
	}
	return nil
}

// stored is the undo data as it comes back from a file.
func (in *imported) stored() []Undo {
	b, err := json.Marshal(in.undo)
	var out []Undo
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}

func (in *imported) restoresAnother() error {
	if _, err := in.restore(in.text, in.stored(), in.another); err != nil {
		return err
	}
	f := in.read(in.restored)
	if err := f.parse(); err != nil {
		return err
	}
	for _, c := range in.changes {
		if got, want := f.Users[c.User].Token.Reveal(), in.another(c.Exec.Credential); got != want {
			return fmt.Errorf("the token is %q, want %q", got, want)
		}
	}
	before, err := in.withoutTokens(in.before)
	if err != nil {
		return err
	}
	after, err := in.withoutTokens(f)
	if err != nil || !slices.Equal(before, after) {
		return fmt.Errorf("something else as well: %v", err)
	}
	return nil
}

// withoutTokens is the text around the tokens of those who were imported.
func (in *imported) withoutTokens(f *File) ([]string, error) {
	var out []string
	at := 0
	for _, c := range in.changes {
		n := value(value(f.Users[c.User].entry, "user"), "token")
		start, err := f.offset(n)
		if err != nil {
			return nil, err
		}
		end, err := f.scalarEnd(n)
		if err != nil {
			return nil, err
		}
		out, at = append(out, string(f.text[at:start])), end
	}
	return append(out, string(f.text[at:])), nil
}

func (in *imported) importsOnce() error {
	f := in.read(in.text)
	if err := f.parse(); err != nil {
		return err
	}
	out, undo, err := f.Edit(nil)
	if err != nil || !bytes.Equal(out, in.text) || len(undo) != 0 {
		return fmt.Errorf("it is not: %v, %d to undo", err, len(undo))
	}
	return nil
}

// redacted looks for the tokens in all spellings that somebody could think of.
func (in *imported) redacted() error {
	b, err := json.Marshal(in.undo)
	if err != nil {
		return err
	}
	for _, token := range in.tokens {
		if len(token) < telling {
			continue
		}
		for _, spelling := range spellings(token) {
			if bytes.Contains(b, []byte(spelling)) {
				return errors.New("it does: " + spelling)
			}
		}
	}
	return nil
}

func spellings(token string) []string {
	twice, _ := json.Marshal(token)
	html, _ := json.Marshal(string(twice[1 : len(twice)-1]))
	return []string{
		token, token[4:], string(twice[1 : len(twice)-1]), string(html[1 : len(html)-1]), strings.ReplaceAll(token, "'", "''"),
		fmt.Sprintf("%x", token), fmt.Sprintf("%X", token), strings.ToLower(token), strings.ToUpper(token), quoted(quoted(token)),
	}
}

func (in *imported) restoresReencoded() error {
	config, err := load(string(in.text))
	if err != nil {
		return err
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return in.sameAsBefore(text)
}

func (in *imported) restoresJSON() error {
	var tree map[string]any
	if err := yaml.Unmarshal(bytes.TrimPrefix(in.text, bom), &tree); err != nil {
		return err
	}
	for _, indent := range []string{"", "  "} {
		text, err := json.MarshalIndent(tree, "", indent)
		if err != nil {
			return err
		}
		if indent == "" {
			text, _ = json.Marshal(tree)
		}
		if err := in.sameAsBefore(text); err != nil {
			return err
		}
	}
	return nil
}

// sameAsBefore restores a text and has client-go compare.
func (in *imported) sameAsBefore(text []byte) error {
	if _, err := in.restore(text, in.stored(), in.back); err != nil {
		return err
	}
	got, err := load(string(in.restored))
	if err != nil {
		return err
	}
	want, err := load(string(in.before.text))
	if err != nil || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("client-go reads something else: %v", err)
	}
	return nil
}

func (in *imported) restoresBlindly() error {
	users, err := in.restore(in.text, nil, in.back)
	if err != nil {
		return err
	}
	got, err := load(string(in.restored))
	if err != nil {
		return err
	}
	for _, u := range users {
		if auth := got.AuthInfos[u.User]; u.Exact || u.From != u.User || auth.Exec != nil || auth.Token != in.back(u.Credential) {
			return fmt.Errorf("%+v", u)
		}
	}
	return nil
}

// Whatever people write into the file after an import: their words stay, and our
// users come back.
func TestRestoreEdited(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const mine = "# mine"
	exact := 0
	for i := range *samples {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		s := newSample(r)
		in, err := s.edit()
		if err != nil {
			t.Fatalf("sample %d: %v", i, err)
		}
		lines := strings.SplitAfter(string(in.text), s.eol)
		for range 1 + r.IntN(3) {
			lines = slices.Insert(lines, 1+r.IntN(len(lines)), mine+s.eol)
		}
		if last := lines[len(lines)-1]; last == mine+s.eol {
			continue // what had no final line break
		}
		if err := in.sameAsBefore([]byte(strings.Join(lines, ""))); err != nil {
			t.Fatalf("sample %d: %v\n%s\nbecame\n%s", i, err, strings.Join(lines, ""), in.restored)
		}
		if strings.ReplaceAll(string(in.restored), mine+s.eol, "") == string(in.before.text) {
			exact++
		}
	}
	if exact < *samples/4 {
		t.Errorf("only %d of %d are otherwise as before", exact, *samples)
	}
}
