package kubeconfig

import "os"

// A file that somebody holds open cannot be removed here, and one that nobody
// does may be kubectl's.
func sign(*os.File) {}

func removeStale(string) bool { return false }

func atWork(string) bool { return false }
