package main

import "os"

var signals = map[string]os.Signal{}
