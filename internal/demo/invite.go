package demo

import (
	"context"
	"fmt"
)

// invite says what a person may try.
func (d *Demo) invite(ctx context.Context, base string) error {
	d.say("\nCurfew goes on at %s and the application at %s until Ctrl-C.\n", base, d.address())
	if d.cfg.Terminal {
		links, err := d.cfg.Links(ctx, student)
		if err != nil {
			return fmt.Errorf("make the links to look around by: %w", err)
		}
		d.say("The admin token is %s\nThe iPhone's session token is %s\n", d.secrets.ops.Reveal(), d.devices[0].token.Reveal())
		d.say("\nOpen in a browser, each once, within 30 minutes:\n")
		d.say("  Sally's own devices\n    %s\n  the admin's console\n    %s\n  the console of who approves what is held\n    %s\n", links.Devices, links.Console, links.Approver)
	}
	d.say("\nTry, in another terminal:\n")
	for i, try := range []struct{ what, command string }{
		{"which of Sally's devices are served?", "curl " + d.address() + devicesPath},
		{"who is she, and what is alive?", d.cfg.Command + " user show " + student},
		{"her bag is lost: both of her mobile devices are out, the laptop is not", d.cfg.Command + " revoke --user " + student + " --kind mobile --reason \"lost her bag\""},
		{"why is the iPad out?", d.cfg.Command + " session why " + d.devices[1].session},
		{"what did the brake hold, and for whom?", d.cfg.Command + " held list --limit 5"},
		{"how many phones would a ban end?", d.cfg.Command + " policy set mobile --not-allowed --reason \"exams\" --dry-run"},
	} {
		d.say("%2d  %s\n    %s\n", i+1, try.what, try.command)
	}
	return nil
}
