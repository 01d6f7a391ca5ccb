package main

// scimCase is what no conversation can say.
type scimCase struct {
	name   string
	proves []string // which of scimRules
	run    func(*school)
}

func scimCases() []scimCase {
	return []scimCase{}
}
