package demo

import (
	"context"
	"fmt"
)

// invite says where to look, and what a person may try.
func (d *Demo) invite(ctx context.Context, base string) error {
	d.say("\nIt goes on until Ctrl-C, at %s.\nSettings, admin token and log lie in %s.\n", base, d.cfg.Folder)
	if d.cfg.Terminal {
		links, err := d.cfg.Links(ctx, student)
		if err != nil {
			return fmt.Errorf("make the links to look around by: %w", err)
		}
		d.say("\n%s\n", d.marked(bold, "Open in a browser; each link works once, within 30 minutes"))
		for _, l := range []struct{ whose, url string }{
			{"Sally's own devices", links.Devices}, {"the console, as an admin", links.Console}, {"the console, as who approves what is held", links.Approver},
		} {
			d.say("  %s\n    %s\n", l.whose, l.url)
		}
	}
	d.say("\n%s\n", d.marked(bold, "Try, in another terminal"))
	for i, try := range d.tries() {
		d.say("%2d  %s\n    %s\n", i+1, try.what, try.command)
	}
	return nil
}

// try is something that is worth seeing, with the command line for it.
type try struct{ what, command string }

func (d *Demo) tries() []try {
	curfew := d.cfg.Command + " "
	return []try{
		{"Which of Sally's devices does the library serve?", "curl " + d.address() + devicesPath},
		{"Her bag is gone: end phone and tablet, keep the laptop", curfew + "revoke --user " + student + ` --kind mobile --reason "lost her bag"`},
		{"Why is the iPad out?", curfew + "session why " + d.devices[1].session},
		{"The mail is slow and the doors are down: what do they still owe?", curfew + "target list"},
		{"75 leavers, a summer early: what does the brake hold?", curfew + "held list --limit 5"},
		{"No phones for " + juniors + ": whom would that sign out?", curfew + `policy set mobile --group "` + juniors + `" --not-allowed --reason "exams" --dry-run`},
	}
}
