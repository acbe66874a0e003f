package kubeconfig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

type namedCluster struct {
	Name    string  `yaml:"name"`
	Cluster cluster `yaml:"cluster"`
}

type cluster struct {
	Server        string `yaml:"server"`
	TLSServerName string `yaml:"tls-server-name"`
	ProxyURL      string `yaml:"proxy-url"`
	Insecure      bool   `yaml:"insecure-skip-tls-verify"`
	CAFile        string `yaml:"certificate-authority"`
	CAData        string `yaml:"certificate-authority-data"`
}

type namedContext struct {
	Name    string `yaml:"name"`
	Context struct {
		Cluster   string `yaml:"cluster"`
		User      string `yaml:"user"`
		Namespace string `yaml:"namespace"`
	} `yaml:"context"`
}

// index notes where things are, because there may be thousands of them.
func (c *config) index() {
	c.contextsOf, c.clusterOf = map[string][]int{}, map[string]int{}
	for i, x := range c.Contexts {
		c.contextsOf[x.Context.User] = append(c.contextsOf[x.Context.User], i)
	}
	for i, x := range c.Clusters {
		if _, taken := c.clusterOf[x.Name]; !taken {
			c.clusterOf[x.Name] = i
		}
	}
}

// Resolve finds the contexts and clusters of each user over all files, which
// KUBECONFIG may spread: a context looks for its user and cluster in its own
// file first and then in the others, in their order, as client-go merges them.
func Resolve(files []*File) error {
	for _, f := range files {
		for i := range f.Users {
			if err := f.resolveUser(&f.Users[i], files); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) resolveUser(u *User, files []*File) error {
	u.Contexts, u.Clusters, u.Servers, u.CAs = nil, nil, nil, nil
	u.Elsewhere = f.elsewhere(u, files)
	if err := f.addContexts(u, files); err != nil {
		return err
	}
	for _, other := range u.Elsewhere {
		if err := other.addContexts(u, files); err != nil {
			return err
		}
	}
	return nil
}

// addContexts gives u the contexts of f that name it, and their clusters.
func (f *File) addContexts(u *User, files []*File) error {
	for _, i := range f.config.contextsOf[u.Name] {
		x := &f.config.Contexts[i]
		u.Contexts = append(u.Contexts, x.Name)
		if slices.Contains(u.Clusters, x.Context.Cluster) {
			continue
		}
		for _, where := range append([]*File{f}, files...) {
			found, err := where.addCluster(u, x.Context.Cluster)
			if err != nil {
				return err
			}
			if found {
				break
			}
		}
	}
	return nil
}

// addCluster gives u the cluster of that name, if f has it.
func (f *File) addCluster(u *User, name string) (found bool, err error) {
	i, found := f.config.clusterOf[name]
	if !found {
		return false, nil
	}
	s, ca, err := f.server(f.config.Clusters[i].Cluster)
	if err != nil {
		return false, refuse(f.Path, fmt.Sprintf("cluster %q: %v", name, err), "mend the cluster's entry first")
	}
	u.Clusters = append(u.Clusters, name)
	u.Servers = append(u.Servers, s)
	if len(ca) > 0 {
		u.CAs = append(u.CAs, ca)
	}
	return true, nil
}

// server says what client-go will tell the plugin about a cluster: the data
// wins over the file, and a file is read relative to the kubeconfig.
func (f *File) server(c cluster) (ipc.Server, []byte, error) {
	s := ipc.Server{URL: c.Server, TLSServerName: c.TLSServerName, ProxyURL: c.ProxyURL, Insecure: c.Insecure}
	ca, err := base64.StdEncoding.DecodeString(c.CAData)
	if err != nil {
		return s, nil, errors.New("certificate-authority-data is not base64")
	}
	if c.CAData == "" && c.CAFile != "" {
		path := c.CAFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.Path), path)
		}
		if ca, err = readCA(path); err != nil {
			return s, nil, fmt.Errorf("certificate-authority: %s", reason(err))
		}
	}
	s.CASHA256 = agent.Fingerprint(ca)
	return s, ca, nil
}

// readCA reads the certificate authority that a kubeconfig names: that could be
// a fifo or a device, which never end.
func readCA(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > MaxSize) {
		err = errors.New("not a regular file, or larger than 64 MiB")
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
