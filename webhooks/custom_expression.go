package webhooks

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"curfew/revoke"
)

// The bounds of expressions. Cost is counted in steps of the language; what makes texts and lists costs by their length, so that
// it bounds memory too.
const (
	maxExpression = 8192       // characters
	maxNodes      = 4000       // of one expression, macros spread out
	maxRegex      = 1000       // of a pattern's program
	costOfOne     = 1_000_000  // one evaluation
	costOfAll     = 20_000_000 // all evaluations of a message
	maxReplaced   = 16         // characters that a replacement may put in; cost is counted only once they are there
	timeOfAll     = 10 * time.Second
	checkEvery    = 1000 // steps of a loop between two looks at the clock
)

// language is CEL (the Common Expression Language) as mappings speak it.
type language struct {
	env     *cel.Env
	adapter types.Adapter
}

// newLanguage makes the language: the standard library with optional values and the functions of strings, and from_json(text).
// Nothing in it reads the clock, the network or a file.
func newLanguage() (language, error) {
	l := language{adapter: adapter{types.DefaultTypeAdapter}}
	var err error
	l.env, err = cel.NewEnv(
		cel.CustomTypeAdapter(l.adapter), cel.OptionalTypes(), ext.Strings(), ext.Regex(), cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(50), cel.ExpressionNodeLimit(maxNodes), cel.RegexProgramSizeLimit(maxRegex),
		cel.Variable("body", cel.DynType), cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("event_type", cel.StringType), cel.Variable("it", cel.DynType),
		cel.Function("from_json", cel.Overload("from_json_string", []*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(l.fromJSON))),
	)
	if err != nil {
		return language{}, fmt.Errorf("make the language of expressions: %w", err)
	}
	return l, nil
}

// fromJSON reads JSON that a sender put into a text.
func (l language) fromJSON(value ref.Val) ref.Val {
	text, ok := value.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(value)
	}
	if err := checkJSON([]byte(text)); err != nil {
		return types.NewErr("the text is not JSON that we read")
	}
	return l.adapter.NativeToValue(parse([]byte(text)))
}

// expression is one of a mapping. The zero value is one that is not there.
type expression struct {
	field   string
	program cel.Program
}

func (e expression) absent() bool { return e.program == nil }

// The types of results.
var (
	aCondition = []*cel.Type{cel.BoolType}
	aList      = []*cel.Type{cel.ListType(cel.DynType)}
	aText      = []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType, cel.NullType}
	aTime      = append(aText, cel.TimestampType)
	anObject   = []*cel.Type{cel.MapType(cel.StringType, cel.DynType)}
)

// compile reads an expression and checks that it can give one of the types. Empty text is none. Errors are [revoke.Invalid].
func (l language) compile(field, text string, want []*cel.Type) (expression, error) {
	if text == "" {
		return expression{}, nil
	}
	ast, issues := l.env.Compile(text)
	if err := issues.Err(); err != nil {
		first := issues.Errors()[0]
		return expression{}, revoke.Invalid{
			Field: field, Problem: fmt.Sprintf("is not an expression, at character %d: %s", first.Location.Column()+1, plain(first.Message)),
			Fix: "write CEL over body, such as body.user.email; a text stands in quotes of its own",
		}
	}
	if !gives(ast.OutputType(), want) {
		return expression{}, revoke.Invalid{Field: field, Problem: "gives " + ast.OutputType().String(), Fix: "write an expression that gives " + names(want)}
	}
	if inflates(ast) {
		return expression{}, revoke.Invalid{
			Field: field, Problem: fmt.Sprintf("replaces by something else than a text of at most %d characters", maxReplaced), Fix: "write the replacement out, or leave it to the sender",
		}
	}
	program, err := l.env.Program(ast,
		cel.EvalOptions(cel.OptOptimize), cel.CostTracking(joined{}), cel.CostLimit(costOfOne), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return expression{}, revoke.Invalid{Field: field, Problem: "cannot be evaluated: " + plain(err.Error()), Fix: "write CEL over body, such as body.user.email"}
	}
	return expression{field, program}, nil
}

// joined counts what + makes of texts by its length. The language's own account does that only where the types are known before.
type joined struct{}

// CallCost returns nil for all that is not such a text.
func (joined) CallCost(function, _ string, _ []ref.Val, result ref.Val) *uint64 {
	text, ok := result.(types.String)
	if !ok || function != operators.Add {
		return nil
	}
	steps := uint64(len(text)/10 + 1)
	return &steps
}

// inflates reports whether one call could make very much text of little before anybody counts it.
func inflates(a *cel.Ast) bool {
	found := false
	celast.PostOrderVisit(a.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.CallKind || e.AsCall().FunctionName() != "replace" || len(e.AsCall().Args()) < 2 {
			return
		}
		by := e.AsCall().Args()[1]
		text, literal := types.String(""), by.Kind() == celast.LiteralKind
		if literal {
			text, literal = by.AsLiteral().(types.String)
		}
		found = found || !literal || len(text) > maxReplaced
	}))
	return found
}

func gives(t *cel.Type, want []*cel.Type) bool {
	if t.Kind() == types.DynKind {
		return true
	}
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" {
		return gives(t.Parameters()[0], want)
	}
	for _, w := range want {
		if w.IsAssignableType(t) {
			return true
		}
	}
	return false
}

func names(all []*cel.Type) string {
	var out []string
	for _, t := range all {
		out = append(out, t.String())
	}
	return strings.Join(out, ", ")
}

// budget is what the evaluations of one message may cost together.
type budget struct {
	ctx    context.Context //nolint:containedctx // of one message, and gone with it
	cost   uint64
	cancel context.CancelFunc
}

func newBudget() *budget {
	ctx, cancel := context.WithTimeout(context.Background(), timeOfAll)
	return &budget{ctx: ctx, cost: costOfAll, cancel: cancel}
}

// misread says why an item has no meaning: which expression failed, and how.
type misread struct{ field, why string }

func (m misread) Error() string { return m.field + ": " + m.why }

// eval evaluates an expression. What leads to a member that the message does not have is nil, and so are null and an optional
// value that is none. Errors are misread.
func (b *budget) eval(e expression, vars map[string]any) (ref.Val, error) {
	if e.absent() {
		return nil, nil
	}
	if b.cost == 0 || b.ctx.Err() != nil {
		return nil, misread{e.field, "the message takes too long to read"}
	}
	value, details, err := e.program.ContextEval(b.ctx, vars)
	if details != nil && details.ActualCost() != nil {
		b.cost -= min(b.cost, *details.ActualCost())
	}
	switch {
	case err == nil:
	case strings.HasPrefix(err.Error(), "no such key: "):
		return nil, nil
	default:
		return nil, misread{e.field, plain(err.Error())}
	}
	if o, ok := value.(*types.Optional); ok {
		if !o.HasValue() {
			return nil, nil
		}
		value = o.GetValue()
	}
	if value == types.NullValue {
		return nil, nil
	}
	return value, nil
}

// holds reports whether a condition holds; one that is not there does. One that leads to a member that is not there fails: what
// it would decide about must not be passed over in silence.
func (b *budget) holds(e expression, vars map[string]any) (bool, error) {
	if e.absent() {
		return true, nil
	}
	value, err := b.eval(e, vars)
	is, ok := value.(types.Bool)
	switch {
	case err != nil:
		return false, err
	case value == nil:
		return false, misread{e.field, "the message lacks a member that it asks for"}
	case !ok:
		return false, misread{e.field, "is neither true nor false"}
	}
	return bool(is), nil
}

// text evaluates an expression to a text, "" where there is none. A whole number is its digits.
func (b *budget) text(e expression, vars map[string]any) (string, error) {
	value, err := b.eval(e, vars)
	if err != nil || value == nil {
		return "", err
	}
	switch v := value.(type) {
	case types.String:
		return strings.TrimSpace(string(v)), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		if f := float64(v); f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return strconv.FormatFloat(f, 'f', -1, 64), nil
		}
	case oddValue:
		if digits, ok := v.number(); ok && len(digits) <= maxText {
			return digits, nil
		}
	}
	return "", misread{e.field, "is " + value.Type().TypeName() + " and no text"}
}

// instant evaluates an expression to a time. It reports false where there is a value that is none.
func (b *budget) instant(e expression, vars map[string]any) (revoke.Instant, bool, error) {
	value, err := b.eval(e, vars)
	if err != nil || value == nil {
		return 0, err == nil, err
	}
	switch v := value.(type) {
	case types.Timestamp:
		at := revoke.InstantOf(v.Time)
		return at, at >= earliest && at <= latest, nil
	case types.Int:
		at, ok := numericTime(float64(v), "")
		return at, ok, nil
	case types.Double:
		at, ok := numericTime(float64(v), "")
		return at, ok, nil
	case types.String:
		if strings.TrimSpace(string(v)) == "" {
			return 0, true, nil
		}
		at, ok := spelledTime(string(v))
		return at, ok, nil
	}
	return 0, false, nil
}

// list evaluates an expression to the elements of a list.
func (b *budget) list(e expression, vars map[string]any) ([]ref.Val, error) {
	value, err := b.eval(e, vars)
	if err != nil {
		return nil, err
	}
	elements, ok := value.(traits.Lister)
	if !ok {
		return nil, misread{e.field, "is no list"}
	}
	var out []ref.Val
	for it := elements.Iterator(); it.HasNext() == types.True; {
		out = append(out, it.Next())
	}
	return out, nil
}
