package main

// openConsole is for a button that no notice has here.
func (r *agentRun) openConsole() {}
