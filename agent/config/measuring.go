package config

import "path/filepath"

// measuring is what the file says about metrics.
type measuring struct {
	Textfile value `yaml:"textfile"`
}

const textfileHint = "an absolute path that ends in .prom, in the folder that --collector.textfile.directory of node_exporter names"

// fill judges the path of the textfile: node_exporter reads no other files.
func (f *measuring) fill(c *Config, dir string) error {
	if !f.Textfile.given() {
		return nil
	}
	if err := proper("metrics.textfile", f.Textfile); err != nil {
		return err
	}
	path, err := expand(f.Textfile.text, dir)
	switch {
	case err != nil:
		return f.Textfile.problem("metrics.textfile: "+err.Error(), textfileHint)
	case filepath.Ext(path) != ".prom" || filepath.Base(path) == ".prom":
		return f.Textfile.problem("metrics.textfile: not the path of a file that ends in .prom", textfileHint)
	}
	c.Textfile = path
	return nil
}
