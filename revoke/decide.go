package revoke

type input struct {
	source  Source
	actor   Actor
	event   Event
	targets []TargetName
}

func (in input) need() Need                                { panic("todo") }
func (in input) decide(f *Facts) (Effects, Outcome, error) { panic("todo") }
