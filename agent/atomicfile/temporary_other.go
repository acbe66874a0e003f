//go:build !linux

package atomicfile

import "os"

func unnamed(string) (*temporary, error) { return nil, errNoName }

func link(*os.File, string) error { return errNoName }
