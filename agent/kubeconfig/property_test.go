package kubeconfig

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

var samples = flag.Int("samples", 150, "how many kubeconfigs TestEditAnything makes up")

// A sample is a kubeconfig somebody could have, and what is to become of it.
type sample struct {
	*writer
	names   []string           // of all users
	changes map[string]*Change // of the users to edit, by name
}

// randomUser makes one user; edited ones hold a token.
func (s *sample) randomUser(i int) *node {
	name := s.oneOf("token", "cw user", "it's", "ü", `a "b"`, "a: b", "me@home", "12ab", "user-") + strings.Repeat("x", i)
	s.names = append(s.names, name)
	token := str(fmt.Sprintf("%s%d%s", s.oneOf("CW-SECRET-", "9f8e7d6c", "a'b", `a"b\`, "#x", "{y", "sha256~", "a: ", "0x", "ü<&>"), i, s.oneOf("", "", "-Zk3vY0pQm1tR7wX", `"\"'c9bL5nH2`)))
	var user *node
	edit := i == 0
	switch s.IntN(7) {
	case 0, 1, 2:
		edit = true
	case 3:
		user = mapping("token", token) // left alone
	case 4:
		user = mapping("exec", mapping("apiVersion", str("client.authentication.k8s.io/v1"), "command", str("/bin/"+s.oneOf(Plugin, "other")),
			"args", listOf(str("left"), str("alone")), "interactiveMode", str("Never")))
	case 5:
		user = mapping("client-certificate", str("/c"), "client-key", str("/k"))
	case 6:
		user = mapping(s.oneOf("tokenFile", "username"), str("/t"))
	}
	nameNode := str(name)
	if edit {
		user = mapping("token", token)
		user.secret = true
		c := &Change{Exec: Exec{
			Command:    s.oneOf("/usr/bin/cwagent-credential", "/opt/my apps/cwagent-credential", `/C:\cw/cwagent-credential`, "/a#b: c/cwagent-credential"),
			Credential: s.oneOf("prod", "true", "12", "a.b-c_d") + strings.Repeat("1", i),
		}}
		if s.chance(2) {
			c.NewName = fmt.Sprintf("cw-%d", i)
			nameNode.edited = true
		}
		s.changes[name] = c
	}
	for s.chance(3) && len(user.keys) < 3 {
		extra := s.oneOf("as", "as-uid")
		if !slices.Contains(user.keys, extra) {
			at := s.IntN(len(user.keys) + 1)
			user.keys = slices.Insert(user.keys, at, extra)
			user.items = slices.Insert(user.items, at, str("somebody"))
		}
	}
	if s.chance(2) {
		return mapping("user", user, "name", nameNode)
	}
	return mapping("name", nameNode, "user", user)
}

func (s *sample) randomContexts(users []string) *node {
	all := listOf()
	anchor := ""
	for i := range 1 + s.IntN(5) {
		user := str(users[s.IntN(len(users))])
		if c := s.changes[user.scalar]; c != nil && c.NewName != "" {
			user.edited = true
		}
		context := mapping("cluster", str("c0"), "namespace", str("ns"), "user", user)
		s.Shuffle(3, func(i, j int) {
			context.keys[i], context.keys[j] = context.keys[j], context.keys[i]
			context.items[i], context.items[j] = context.items[j], context.items[i]
		})
		switch {
		case s.json:
		case anchor != "" && s.chance(2):
			context = &node{anchor: anchor, alias: true}
		case anchor == "" && s.chance(3):
			anchor = "cw"
			context.anchor = anchor
		}
		all.items = append(all.items, mapping("name", str(fmt.Sprintf("ctx%d", i)), "context", context))
	}
	return all
}

// newSample writes a kubeconfig.
func newSample(r *rand.Rand) *sample {
	s := &sample{writer: newWriter(r), changes: map[string]*Change{}}
	users := listOf()
	for i := range 1 + r.IntN(5) {
		users.items = append(users.items, s.randomUser(i))
	}
	r.Shuffle(len(users.items), func(i, j int) { users.items[i], users.items[j] = users.items[j], users.items[i] })
	root := mapping(
		"apiVersion", str("v1"), "kind", str("Config"), "users", users, "contexts", s.randomContexts(s.names),
		"preferences", mapping("colors", &node{scalar: "true", plain: true}), "current-context", str("ctx0"),
		"clusters", listOf(mapping("name", str("c0"), "cluster", mapping("server", str("https://a.example.com"),
			"insecure-skip-tls-verify", &node{scalar: s.oneOf("true", "false"), plain: true}))),
	)
	r.Shuffle(len(root.keys), func(i, j int) {
		root.keys[i], root.keys[j] = root.keys[j], root.keys[i]
		root.items[i], root.items[j] = root.items[j], root.items[i]
	})
	if s.json || s.chance(10) {
		s.flow(root, "")
		s.put(s.oneOf("", s.eol))
		return s
	}
	s.put(s.oneOf("", s.comment()+s.eol, "---"+s.eol, s.eol))
	s.block(root, "")
	if last := len(s.pieces) - 1; s.chance(4) && !s.pieces[last].edited {
		if s.pieces[last].text = strings.TrimSuffix(s.pieces[last].text, s.eol); s.pieces[last].text == "" {
			s.pieces = s.pieces[:last]
		}
	}
	return s
}

// expect makes the changes in what client-go read.
func (s *sample) expect(config *api.Config) error {
	for name, c := range s.changes {
		user := config.AuthInfos[name]
		if user == nil || user.Token == "" {
			return fmt.Errorf("the sample has no token for %q", name)
		}
		user.Token = ""
		user.Exec = c.Exec.clientGo()
		if c.NewName == "" {
			continue
		}
		delete(config.AuthInfos, name)
		config.AuthInfos[c.NewName] = user
		for _, x := range config.Contexts {
			if x.AuthInfo == name {
				x.AuthInfo = c.NewName
			}
		}
	}
	return nil
}

// clientGo is the block as client-go reads it.
func (e Exec) clientGo() *api.ExecConfig {
	return &api.ExecConfig{
		APIVersion: execVersion, Command: e.Command, Args: []string{e.Credential}, InstallHint: installHint,
		InteractiveMode: api.NeverExecInteractiveMode, ProvideClusterInfo: true,
	}
}

// keeps wants everything that was not to be edited to stand in text, in order,
// with nothing else between but where there was something to edit.
func (s *sample) keeps(text []byte) error {
	var all strings.Builder
	for _, p := range s.pieces {
		if p.edited {
			all.WriteString(`(?s:.*?)`)
		} else {
			all.WriteString(regexp.QuoteMeta(p.text))
		}
	}
	if !regexp.MustCompile(`\A` + all.String() + `\z`).Match(text) {
		return errors.New("something else was changed as well")
	}
	return nil
}

func TestEditAnything(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range *samples {
		s := newSample(rand.New(rand.NewPCG(seed, uint64(i))))
		in, err := s.edit()
		if err == nil {
			err = s.keeps(in.text)
		}
		if err == nil {
			err = in.laws()
		}
		if err != nil {
			t.Fatalf("sample %d: %v\n%s\nbecame\n%s\nand\n%s", i, err, s.text(), in.text, in.restored)
		}
	}
}

// edit makes the changes of the sample and has client-go look at what came out.
func (s *sample) edit() (*imported, error) {
	want, err := load(s.text())
	if err == nil {
		err = s.expect(want)
	}
	if err != nil {
		return nil, err
	}
	in := &imported{before: &File{Path: "config", text: []byte(s.text())}, tokens: map[string]string{}}
	f := in.before
	if err := f.parse(); err != nil {
		return in, err
	}
	var creds []string
	for i, u := range f.Users {
		if c := s.changes[u.Name]; c != nil {
			c.User = i
			in.changes = append(in.changes, *c)
			creds = append(creds, c.Exec.Credential)
			in.tokens[c.Exec.Credential] = u.Token.Reveal()
		}
	}
	if in.text, in.undo, err = f.Edit(in.changes); err != nil {
		return in, err
	}
	got, err := load(string(in.text))
	if err != nil || !reflect.DeepEqual(got, want) {
		return in, fmt.Errorf("client-go reads something else than was meant: %v", err)
	}
	again := in.read(in.text)
	if err := again.parse(); err != nil {
		return in, err
	}
	if len(again.Users) != len(f.Users)-len(in.changes) || !slices.Equal(again.Ours, creds) {
		return in, fmt.Errorf("read again: %d users with tokens, of ours %q; want %q", len(again.Users), again.Ours, creds)
	}
	for _, token := range in.tokens {
		if bytes.Contains(in.text, []byte(token)) {
			return in, fmt.Errorf("a token is still there")
		}
	}
	return in, nil
}

// load reads a kubeconfig as kubectl does.
func load(text string) (*api.Config, error) {
	return clientcmd.Load([]byte(strings.TrimPrefix(text, "\ufeff")))
}
