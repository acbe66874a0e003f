package credplugin

// start starts nothing here.
func start(string) bool { return false }
