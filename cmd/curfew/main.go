// Command curfew ends sessions and device tokens the moment a person may no longer hold them. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"curfew/revoke"
)

// The exit codes (DESIGN section 6, Commands).
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitRefused  = 4
)

// exitError is an error with the code that it ends the program with.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }
func (e exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

// commands is the command line: noun, then verb.
type commands struct {
	Config string `placeholder:"FILE" help:"The settings file; curfew.yaml where it stands, when this is not given."`
	JSON   bool   `name:"json" help:"Write data as JSON."`
	remoteFlags

	Serve    serveCommand    `cmd:"" help:"Run the server."`
	Demo     demoCommand     `cmd:"" help:"Tell the story of a suspension, on throw-away data."`
	Check    checkCommand    `cmd:"" help:"Check the configuration and show what holds, without secrets."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database to this version's schema, and stop."`
	User     userCommand     `cmd:"" help:"Look at people, block them and lift that."`
	Session  sessionCommand  `cmd:"" help:"Look at sessions and end them."`
	Revoke   revokeCommand   `cmd:"" help:"End the sessions of a person, on a device, of a kind, in an application, or of everybody."`
	Schedule scheduleCommand `cmd:"" help:"What is ordered for later."`
	Policy   policyCommand   `cmd:"" help:"What is asked of sessions of a kind: allowed at all, how old, how long unused."`
	Held     heldCommand     `cmd:"" help:"What waits for a person, because it hits too many or takes two."`
	Parked   parkedCommand   `cmd:"" help:"Deliveries that wait for a person."`
	Source   sourceCommand   `cmd:"" help:"Who sends news, and what it does."`
	Target   targetCommand   `cmd:"" help:"Where Curfew revokes, and how it goes there."`
	Link     linkCommand     `cmd:"" help:"Make a link that lets somebody sign in once."`
	Token    tokenCommand    `cmd:"" help:"Make a bearer token and the line for the configuration."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Write what lets a shell complete this command line."`
}

// shell is what a command works with beside its own flags.
type shell struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // out is one, so that secrets may be shown
	asking   bool // in is one, so that somebody can answer
	watched  bool // err is one, so that somebody sees a line change
	lookup   func(string) (string, bool)
	config   string
	json     bool
	remoteFlags
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], shell{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, terminal: isTerminal(os.Stdout), asking: isTerminal(os.Stdin), watched: isTerminal(os.Stderr), lookup: environment(),
	})
	stop()
	os.Exit(code)
}

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// run carries out one command line and returns the program's exit code.
func run(ctx context.Context, args []string, sh shell) int {
	var cli commands
	settings := newSettingFlags()
	ended := -1
	parser, err := cli.parser(settings, kong.Writers(sh.out, sh.err), kong.Exit(func(code int) { ended = code }))
	if err != nil {
		return complain(sh, exitError{exitFailed, err})
	}
	parsed, err := parser.Parse(args)
	switch {
	case ended >= 0:
		return ended
	case err != nil:
		return complain(sh, usage("%w\nwhat there is: curfew --help", err))
	}
	sh.config, sh.json, sh.remoteFlags = cli.Config, cli.JSON, cli.remoteFlags
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&sh, settings); err != nil {
		return complain(sh, err)
	}
	return exitDone
}

// parser reads command lines into c and settings. Everything that is said about the commands is made from it.
func (c *commands) parser(settings *settingFlags, more ...kong.Option) (*kong.Kong, error) {
	c.Serve.Plugins, c.Check.Plugins, c.Migrate.Plugins = kong.Plugins{settings.flags}, kong.Plugins{settings.flags}, kong.Plugins{settings.flags}
	vars := kong.Vars{}
	for name, list := range wordLists() {
		vars[name] = strings.Join(list, ", ")
	}
	return kong.New(c, append(more, kong.Name("curfew"), kong.Description(aboutCurfew), vars,
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}))...)
}

// wordLists are closed sets that several helps speak of.
func wordLists() map[string][]string {
	kinds := make([]string, len(revoke.Kinds()))
	for i, kind := range revoke.Kinds() {
		kinds[i] = string(kind)
	}
	return map[string][]string{"scopes": scopes, "kinds": kinds}
}

const aboutCurfew = `Ends every session and device token of a person the moment an identity provider, an HR system or a security tool says so.

  curfew serve                                    run with what the settings file says
  curfew token portal --scope sessions            a token for an application
  curfew user show sally@example.edu              who is that, and what is alive
  curfew revoke --user sally@example.edu --reason "lost her phone"

Exit codes: 0 done, 1 failed, 2 used wrongly, 3 not found, 4 refused or needs approval.`

func complain(sh shell, err error) int {
	if _, ok := errors.AsType[badConfig](err); ok {
		_, _ = fmt.Fprintf(sh.err, "%v\n", err)
		return exitFailed
	}
	_, _ = fmt.Fprintf(sh.err, "curfew: %v\n", err)
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	return exitFailed
}
