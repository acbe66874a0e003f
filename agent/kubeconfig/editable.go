package kubeconfig

import "slices"

// A Refused is a change that cannot be made, and why.
type Refused struct {
	Change
	Err error
}

// Editable tells the changes that Edit can make together from those that stand in
// their way. It looks at the file as a whole, however many users are to change.
func (f *File) Editable(changes []Change) (can []Change, cannot []Refused) {
	t, err := f.tree()
	for _, c := range changes {
		u := f.Users[c.User]
		_, _, e := f.splice(c)
		if e == nil && (err != nil || !t.has(u)) {
			e = f.refuseShape()
		}
		if e != nil {
			cannot = append(cannot, Refused{c, e})
			continue
		}
		can = append(can, c)
	}
	for {
		stand := f.standing(can)
		if len(stand) == 0 {
			return can, cannot
		}
		// Without these there are fewer edits: the next round may find another token.
		can = slices.DeleteFunc(can, func(c Change) bool {
			e, found := stand[c.User]
			if found {
				cannot = append(cannot, Refused{c, e})
			}
			return found
		})
	}
}

// standing returns the users whose token would still stand somewhere, in the text or
// in what is noted of it, after these changes. What is not one user's alone Edit says.
func (f *File) standing(changes []Change) map[int]error {
	e, err := f.plan(changes)
	if err != nil {
		return nil
	}
	out, err := f.apply(e.splices)
	if err != nil {
		return nil
	}
	found := map[int]error{}
	finder := newFinder(f, changes)
	for _, i := range finder.all(out) {
		found[i] = f.refuseLeftover(i, changes)
	}
	for _, i := range finder.all(names(e.undo)) {
		found[i] = f.refuseName(i)
	}
	return found
}
