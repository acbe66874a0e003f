package kubeconfig

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/cwagent/cwagent/ipc"
)

// A Lead is a context that leads to a server with a credential of ours.
type Lead struct {
	Context   string
	Namespace string
	Current   bool       // it is the current context of all files
	Server    ipc.Server // as it is written, not yet canonical
	CA        []byte     // the data that client-go takes
}

// Leads returns the contexts of files whose user refers to a credential, in the order
// of the files. They mean what they mean to client-go, which merges the files: the
// first of each name, and its user and its cluster. One whose cluster is nowhere, or
// cannot be read, leads nowhere.
func Leads(files []*File, credential string) (leads []Lead) {
	current := currentContext(files)
	seen := map[string]bool{}
	for _, f := range files {
		for _, x := range f.config.Contexts {
			if seen[x.Name] {
				continue
			}
			seen[x.Name] = true
			if !refersTo(files, x.Context.User, credential) {
				continue
			}
			if s, ca, found := serverOf(files, x.Context.Cluster); found {
				leads = append(leads, Lead{x.Name, x.Context.Namespace, x.Name == current, s, ca})
			}
		}
	}
	return leads
}

// refersTo reports whether the first user of that name refers to the credential.
func refersTo(files []*File, user, credential string) bool {
	i := slices.IndexFunc(files, func(f *File) bool { return f.counts[user] > 0 })
	return i >= 0 && slices.ContainsFunc(files[i].Others, func(o Other) bool {
		return o.Name == user && o.Kind == KindOurs && o.Detail == credential
	})
}

// serverOf returns the server of the first cluster of that name.
func serverOf(files []*File, cluster string) (s ipc.Server, ca []byte, found bool) {
	for _, f := range files {
		if i, there := f.config.clusterOf[cluster]; there {
			s, ca, err := f.server(f.config.Clusters[i].Cluster)
			return s, ca, err == nil
		}
	}
	return s, nil, false
}

// currentContext is that of the first file that has one.
func currentContext(files []*File) string {
	for _, f := range files {
		if v := value(f.root, "current-context"); v != nil && v.Value != "" {
			return v.Value
		}
	}
	return ""
}

// Render returns a kubeconfig with these contexts, all of whose users are that exec
// block, by the name of its credential. The current context is the first that says so,
// else the only one: of several none, because nobody has chosen it.
func Render(leads []Lead, e Exec) ([]byte, error) {
	type named map[string]any
	var clusters, contexts []named
	current := slices.IndexFunc(leads, func(l Lead) bool { return l.Current })
	if len(leads) == 1 {
		current = 0
	}
	for _, l := range leads {
		cluster := named{"server": l.Server.URL}
		for key, v := range map[string]string{
			"tls-server-name": l.Server.TLSServerName, "proxy-url": l.Server.ProxyURL,
			"certificate-authority-data": base64.StdEncoding.EncodeToString(l.CA),
		} {
			if v != "" {
				cluster[key] = v
			}
		}
		if l.Server.Insecure {
			cluster["insecure-skip-tls-verify"] = true
		}
		context := named{"cluster": l.Context, "user": e.Credential}
		if l.Namespace != "" {
			context["namespace"] = l.Namespace
		}
		clusters = append(clusters, named{"name": l.Context, "cluster": cluster})
		contexts = append(contexts, named{"name": l.Context, "context": context})
	}
	config := named{
		"apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts,
		"users": []named{{"name": e.Credential, "user": named{"exec": e.tree()}}},
	}
	if current >= 0 {
		config["current-context"] = leads[current].Context
	}
	text, err := json.MarshalIndent(config, "", "  ")
	return append(text, '\n'), err
}
