package config

// A Key is a setting of the file, as cwagent-config(5) explains it.
type Key struct {
	Path    string // credentials.maxAge is maxAge of each entry of credentials
	Type    string
	Default string // as it would be written; empty: there is none, or Meaning says it
	Meaning string // sentences
}

const (
	aSpan = "duration" // 90d, 8h, 30s
	aPath = "path"
	aURL  = "URL"
	words = "list of words"
)

// Keys are all that there are.
var Keys = []Key{
	{"store", "auto, keyring, file or memory", "auto", "Where tokens rest. auto is the keyring of the operating system, if the first token can be read back from it, else the file store, if cwagent store init file has made one, and is decided once; keyring and file are that or nothing; with memory they are gone when the agent ends. It is the only key that wants a new start of the agent."},
	{"logLevel", "debug, info, warn or error", "info", "What is seen of the agent's log. The audit log does not depend on it."},
	{"lockAfter", aSpan, "", "How long after a token was given out last the agent locks itself, as cwagent lock does it: cwagent unlock undoes that. While a token is in memory only it does not. Without it never."},
	{"metrics.textfile", aPath, "", "A file that ends in .prom, in a folder that node_exporter's textfile collector reads: what cwagent metrics prints is written there when there is something new, at most every 15 seconds, readable by everybody. It is removed when the agent ends."},
	{"coreweave.endpoint", "URL, https only", "https://api.coreweave.com", "Where it is asked whether an API Access Token is alive. Tokens are sent there, and none but those that begin CW-SECRET-."},
	{"coreweave.caFile", aPath, "", "A PEM file: who signs the endpoint's certificate, instead of the system's roots."},
	{"watch.kubeconfigs", "list of paths", "[~/.kube/config]", "Kubeconfigs in which a static token is noticed, beside every file that import has rewritten."},
	{"watch.downloads", "list of paths", "[~/Downloads]", "Folders in which downloads of the Console are noticed, once you have agreed, which the first import asks."},
	{"watch.onStaticToken", "absorb, warn or ignore", "absorb", "What is done about such a token: absorb takes it out of the file, where it is clear whose it is; warn only says it in cwagent status; ignore does not look."},
	{"warnBefore", "list of durations", "[14d, 3d, 1d, 1h]", "How long before its end a token is said to be ending. Of these only those count that are a quarter of its lifetime or less. [] is never."},
	{"notices", "on or off", "on", "Whether you are told on your screen, once, that a token is ending, has ended or is refused, was taken out of a file or has given way to another one, or that the store is locked while something needs it. Where no screen shows it, commands in a terminal say it on stderr, once a day."},
	{"credentials.name", "name of a credential", "", "Which credential the entry is about; it must be there. Each name has one entry."},
	{"credentials.maxAge", "duration, or never", "", "A token that is older is due, whatever its end. Without it 90d."},
	{"credentials.servers.url", aURL, "", "An API server that may get the token. A server may also be written as this URL alone. The list takes the place of what import has learnt; [] is none at all."},
	{"credentials.servers.caFile", aPath, "", "Its certificate authority, as certificate-authority of a kubeconfig's cluster."},
	{"credentials.servers.tlsServerName", "host name", "", "As tls-server-name of a kubeconfig's cluster."},
	{"credentials.servers.proxyURL", aURL, "", "As proxy-url of a kubeconfig's cluster."},
	{"credentials.servers.insecureSkipTLSVerify", "true or false", "false", "As insecure-skip-tls-verify of a kubeconfig's cluster."},
	{"credentials.source.command.argv", words, "", "A program that prints the next token, by its absolute path, and its arguments. No shell reads it."},
	{"credentials.source.command.env", words, "", "Variables that it gets beside HOME, PATH, the locale, proxies and what leads to keyrings and ssh-agent: NAME=VALUE, or NAME alone for the agent's own."},
	{"credentials.source.command.timeout", "duration, 1s to 5m", "30s", "How long it may take. It is killed then, with what it has started."},
	{"credentials.source.command.lifetime", aSpan, "", "How long a token lives that does not say it itself; without it such a token's end is unknown."},
	{"credentials.source.file.path", aPath, "", "A file in which something else keeps a token fresh. It is watched."},
	{"credentials.source.file.lifetime", aSpan, "", "As that of a command, counted from when the file was written."},
	{"credentials.source.serviceAccount.namespace", "name", "", "The namespace of a ServiceAccount for which the API server itself makes a token (TokenRequest)."},
	{"credentials.source.serviceAccount.name", "name", "", "The name of that ServiceAccount."},
	{"credentials.source.serviceAccount.lifetime", "duration, 10m or more", "1h", "For how long a token is asked for."},
	{"credentials.source.serviceAccount.audiences", words, "", "For whom the token is meant; without it for the API server."},
	{"credentials.source.serviceAccount.from", "name of a credential", "", "Whose token asks; without it this credential's own."},
	{"credentials.source.serviceAccount.server", aURL, "", "Which server is asked; it may be left out where the one who asks has only one."},
}
