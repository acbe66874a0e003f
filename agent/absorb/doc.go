// Package absorb is the watcher: it runs within the agent and takes static tokens
// that come back. "cwic cluster auth" writes a token into ~/.kube/config again,
// "kubectl config" writes back what it had read before an import, and a browser
// downloads the next kubeconfig of the Console.
//
// Two kinds of files are looked after: kubeconfigs that the config names or that
// import has rewritten, and, once a person has agreed, the Console's downloads. Only
// API Access Tokens (CW-SECRET-) are looked at, and in a kubeconfig what else the
// agent has. Nobody may have asked for a download: before the person has agreed it
// is only searched for such a token, and one of more than 1 MiB is not read at all.
//
// # What becomes of a token
//
// It is the one that a credential uses, or one that gave way or waits there: the
// user gets its reference to the credential again. The credential keeps the
// token that it has, so an older one never takes the place of a newer one.
//
// Nobody knows it: it may be the successor of a credential's token. That is so if
//
//   - a credential is bound to all the servers that the contexts of its user name,
//     compared as bindings are, and
//   - it is alive, and of the same orgUid and uid as the credential's token; of
//     several such credentials only one may be. That is asked of CoreWeave and of
//     the credential's own servers, as for any new token (agent.Add); a server that
//     only the new file names never sees it, and where nobody can say, nothing
//     follows, and
//   - it is no older: a download is as old as its file, and one that lay there
//     before the credential's token was made is left. The public id in its name
//     counts for as long as the file never was rewritten.
//
// Then it takes over, every kubeconfig that refers to the credential has it from
// that moment on, and its own file gets a reference instead. The file is
// rewritten only when the token is saved, read back, and outlives a reboot.
//
// Anything else is left as it is, and said: in Watched and in the log. What may
// pass by itself (nobody answers, the keyring is locked, kubectl holds its lock) is
// tried again after a second, then less and less often, up to every 5 minutes;
// the rest when its file, the credentials, the config or the consent change. What
// is not known about a new token is when it ends: a person has to tell.
//
// # What it keeps out of
//
// A file on a file system that other machines share is never rewritten while they may
// not reach the store. A token that the person has put back stays with
// its user until that is imported again; another one that comes there does not.
// Import and restore are in turn with it (rewritten.Folder.Turn), because a token
// that import has just handed over has not come back. Files are written as import
// writes them, with what restore needs noted first.
//
// It waits for nobody: where kubectl has its lock, or somebody else the turn, the
// file is tried again in a moment, and others are looked at meanwhile. What a
// cwagent that was killed has left in a watched folder is taken away.
//
// While nothing changes, nothing runs: see package watch for what it costs to
// notice a change.
package absorb
