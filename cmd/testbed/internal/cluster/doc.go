// Package cluster runs a real kube-apiserver and the etcd under it inside this process, for as long as a context lives.
//
// It is the upstream code with upstream's defaults, save for three things. No authenticator caches a verdict, so that
// a revoked token is dead at once. Nothing is synced to disk: the data is gone with the process anyway. And pods need
// no ServiceAccount, because no controller is here to make them one.
//
// There is no scheduler, no controller manager and no node: what is created stays as it was written.
package cluster
