package main

import "errors"

func become(string, []string, []string) error { return errors.ErrUnsupported }
