package kubeconfig

import "io/fs"

// links does not look: FileInfo does not tell on Windows.
func links(fs.FileInfo) int { return 1 }
