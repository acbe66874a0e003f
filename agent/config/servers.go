package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A Server is one to which a credential may be given out.
type Server struct {
	ipc.Server        // canonical
	CA         []byte // what is in its caFile, of which CASHA256 is the fingerprint; nil: the system's roots
}

// serverList is what "servers" has.
type serverList []server

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *serverList) UnmarshalYAML(n *yaml.Node) error {
	*l = serverList{}
	return entries(n, func(n *yaml.Node) error {
		var s server
		err := s.read(n)
		*l = append(*l, s)
		return err
	})
}

// server is one as it is written. Its keys are those of a kubeconfig's cluster,
// in the spelling of this file.
type server struct {
	URL           value `yaml:"url"`
	CAFile        value `yaml:"caFile"`
	TLSServerName value `yaml:"tlsServerName"`
	ProxyURL      value `yaml:"proxyURL"`
	Insecure      value `yaml:"insecureSkipTLSVerify"`

	line int
}

// read takes a mapping, or the URL alone.
func (f *server) read(n *yaml.Node) error {
	f.line = n.Line
	switch n.Kind {
	case yaml.ScalarNode:
		return f.URL.UnmarshalYAML(n)
	case yaml.MappingNode:
		return strict(n, f)
	}
	return &problem{n.Line, "a URL or a mapping is wanted here, not a list", seeSample}
}

// servers judges the list; it is nil where the file has none.
func (l serverList) servers(dir string) ([]Server, error) {
	if l == nil {
		return nil, nil
	}
	all := []Server{}
	seen := map[ipc.Server]bool{}
	for _, f := range l {
		s, err := f.server(dir)
		if err != nil {
			return nil, err
		}
		if seen[s.Server] {
			return nil, f.URL.problem("servers: it is in the list already", "one entry a server")
		}
		seen[s.Server] = true
		all = append(all, s)
	}
	return all, nil
}

func (f *server) server(dir string) (s Server, err error) {
	if !f.URL.given() {
		return s, missing(f.line, "servers.url", "url: https://HOST[:PORT], as in a kubeconfig")
	}
	if err := proper("servers", f.URL, f.CAFile, f.TLSServerName, f.ProxyURL); err != nil {
		return s, err
	}
	insecure, err := f.Insecure.yes("servers.insecureSkipTLSVerify")
	if err != nil {
		return s, err
	}
	if f.CAFile.given() {
		if insecure {
			return s, f.Insecure.problem("servers: insecureSkipTLSVerify and caFile exclude each other", "as in a kubeconfig; caFile is the safe one")
		}
		if s.CA, err = readCA(f.CAFile.text, dir); err != nil {
			return s, f.CAFile.problem("servers.caFile: "+err.Error(), "a PEM file, as the kubeconfig's certificate-authority")
		}
	}
	s.Server, err = agent.Canonical(ipc.Server{
		URL: f.URL.text, TLSServerName: f.TLSServerName.text, ProxyURL: f.ProxyURL.text,
		Insecure: insecure, CASHA256: agent.Fingerprint(s.CA),
	})
	if err != nil {
		return s, f.refused(err)
	}
	return s, nil
}

// refused says what agent.Canonical does not like.
func (f *server) refused(err error) error {
	if e := (*ipc.Error)(nil); errors.As(err, &e) && strings.HasPrefix(e.What, "proxy ") {
		return uncanonical("servers.proxyURL", f.ProxyURL, err)
	}
	return uncanonical("servers", f.URL, err)
}

// uncanonical makes a problem of an error of agent.Canonical, without the value
// that it quotes: the line says which one it is.
func uncanonical(key string, v value, err error) error {
	var e *ipc.Error
	if !errors.As(err, &e) {
		return v.problem(key+": not a server", seeSample)
	}
	parts := strings.Split(e.What, `": `)
	return v.problem(key+": "+parts[len(parts)-1], e.Hint)
}

// readCA reads a certificate authority as import does: all of the file counts
// for its fingerprint, because client-go hands all of it to the plugin. The name
// could be that of a fifo or a device, which never end.
func readCA(path, dir string) ([]byte, error) {
	path, err := expand(path, dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSize) {
		err = errors.New("not a regular file, or larger than 1 MiB")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	pe := (*fs.PathError)(nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case errors.As(err, &pe):
		return nil, pe.Err // without the path: it is a value
	case err == nil && len(agent.Certificates(b)) == 0:
		return nil, errors.New("no certificate in it")
	}
	return b, err
}

// yes reads a word that is true or false; one that is missing is false.
func (v value) yes(key string) (bool, error) {
	if v.given() && v.text != "true" && v.text != "false" {
		return false, v.problem(key+": neither true nor false", "true or false")
	}
	return v.text == "true", nil
}
