// The command clients drives a SCIM server by a public client from Go's modules, the SDK of Databricks. What to do comes as
// lines of JSON, and the outcome of each goes back as one: the test beside says what must be true of the sessions in between.
// Usage: clients BASE TOKEN
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/iam"
)

type order struct {
	Do      string   `json:"do"`
	ID      string   `json:"id"`
	Email   string   `json:"email"`
	Title   string   `json:"title"`
	Active  bool     `json:"active"`
	Count   int64    `json:"count"`
	Members []string `json:"members"`
}

type outcome struct {
	Status int      `json:"status,omitempty"` // of a refusal
	Error  string   `json:"error,omitempty"`
	ID     string   `json:"id,omitempty"`
	Email  string   `json:"email,omitempty"`
	Title  string   `json:"title,omitempty"`
	Active bool     `json:"active"`
	Total  int      `json:"total"`
	IDs    []string `json:"ids"`
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, base, token string) error {
	c, err := client.New(&config.Config{
		Host: base, Token: token, AuthType: "pat", ConfigFile: os.DevNull, RetryTimeoutSeconds: 60, HTTPTimeoutSeconds: 60,
	})
	if err != nil {
		return err
	}
	d := databricks{users: iam.NewUsers(c), groups: iam.NewGroups(c)}
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		got, err := d.carryOut(ctx, o)
		if err != nil {
			got = outcome{Error: err.Error()}
			if refused, ok := errors.AsType[*apierr.APIError](err); ok {
				got.Status = refused.StatusCode
			}
		}
		if err := answers.Encode(got); err != nil {
			return err
		}
	}
	return lines.Err()
}

type databricks struct {
	users  *iam.UsersAPI
	groups *iam.GroupsAPI
}

func (d databricks) carryOut(ctx context.Context, o order) (outcome, error) {
	switch o.Do {
	case "create":
		u, err := d.users.Create(ctx, iam.User{
			UserName: o.Email, ExternalId: o.Email, DisplayName: o.Title + " Example", Active: true, Schemas: []iam.UserSchema{iam.UserSchemaUrnIetfParamsScimSchemasCore20User},
			Name: &iam.Name{GivenName: o.Title, FamilyName: "Example"}, Emails: []iam.ComplexValue{{Value: o.Email, Type: "work", Primary: true}},
		})
		return told(u), err
	case "get":
		u, err := d.users.GetById(ctx, o.ID)
		return told(u), err
	case "find":
		return listed(d.users.ListAll(ctx, iam.ListUsersRequest{Filter: fmt.Sprintf("userName eq %q", o.Email)}))
	case "crawl": // the client asks for page after page until one is empty
		return listed(crawl(ctx, d.users, iam.ListUsersRequest{Count: o.Count, SortBy: "userName", SortOrder: iam.ListSortOrderDescending, Attributes: "id,userName"}))
	case "rename":
		return d.change(ctx, o.ID, iam.Patch{Op: iam.PatchOpReplace, Path: "name.givenName", Value: o.Title})
	case "deactivate":
		return d.change(ctx, o.ID, iam.Patch{Op: iam.PatchOpReplace, Path: "active", Value: false})
	case "reactivate":
		return d.change(ctx, o.ID, iam.Patch{Op: iam.PatchOpReplace, Value: map[string]any{"active": true}})
	case "replace":
		u, err := d.users.GetById(ctx, o.ID)
		if err != nil {
			return outcome{}, err
		}
		u.Active, u.ForceSendFields = o.Active, []string{"Active"} // left to itself, the client leaves a false out
		return outcome{}, d.users.Update(ctx, *u)
	case "remove":
		return outcome{}, d.users.DeleteById(ctx, o.ID)
	default:
		return d.group(ctx, o)
	}
}

func (d databricks) group(ctx context.Context, o order) (outcome, error) {
	switch o.Do {
	case "create group":
		g, err := d.groups.Create(ctx, iam.Group{DisplayName: o.Title, Members: members(o.Members), Schemas: []iam.GroupSchema{iam.GroupSchemaUrnIetfParamsScimSchemasCore20Group}})
		if err != nil {
			return outcome{}, err
		}
		return outcome{ID: g.Id, Title: g.DisplayName}, nil
	case "find group":
		all, err := d.groups.ListAll(ctx, iam.ListGroupsRequest{Filter: fmt.Sprintf("displayName eq %q", o.Title), ExcludedAttributes: "members"})
		got := outcome{Total: len(all)}
		for _, g := range all {
			got.IDs = append(got.IDs, g.Id)
		}
		return got, err
	case "members":
		g, err := d.groups.GetById(ctx, o.ID)
		if err != nil {
			return outcome{}, err
		}
		got := outcome{Title: g.DisplayName}
		for _, m := range g.Members {
			got.IDs = append(got.IDs, m.Value)
		}
		return got, nil
	case "join":
		return d.regroup(ctx, o.ID, iam.Patch{Op: iam.PatchOpAdd, Value: map[string]any{"members": members(o.Members)}})
	case "leave":
		var out []iam.Patch
		for _, id := range o.Members {
			out = append(out, iam.Patch{Op: iam.PatchOpRemove, Path: fmt.Sprintf("members[value eq %q]", id)})
		}
		return d.regroup(ctx, o.ID, out...)
	case "rename group":
		g, err := d.groups.GetById(ctx, o.ID)
		if err != nil {
			return outcome{}, err
		}
		g.DisplayName = o.Title
		return outcome{}, d.groups.Update(ctx, *g)
	case "remove group":
		return outcome{}, d.groups.DeleteById(ctx, o.ID)
	default:
		return outcome{}, fmt.Errorf("unknown order %q", o.Do)
	}
}

func (d databricks) change(ctx context.Context, id string, operations ...iam.Patch) (outcome, error) {
	err := d.users.Patch(ctx, iam.PartialUpdate{Id: id, Operations: operations, Schemas: []iam.PatchSchema{iam.PatchSchemaUrnIetfParamsScimApiMessages20PatchOp}})
	if err != nil {
		return outcome{}, err
	}
	u, err := d.users.GetById(ctx, id) // the client throws the answer away
	return told(u), err
}

func (d databricks) regroup(ctx context.Context, id string, operations ...iam.Patch) (outcome, error) {
	return outcome{}, d.groups.Patch(ctx, iam.PartialUpdate{Id: id, Operations: operations, Schemas: []iam.PatchSchema{iam.PatchSchemaUrnIetfParamsScimApiMessages20PatchOp}})
}

func crawl(ctx context.Context, users *iam.UsersAPI, request iam.ListUsersRequest) (all []iam.User, err error) {
	for pages := users.List(ctx, request); pages.HasNext(ctx); {
		u, err := pages.Next(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func told(u *iam.User) outcome {
	if u == nil {
		return outcome{}
	}
	got := outcome{ID: u.Id, Email: u.UserName, Active: u.Active}
	if u.Name != nil {
		got.Title = u.Name.GivenName
	}
	return got
}

func listed(all []iam.User, err error) (outcome, error) {
	got := outcome{Total: len(all)}
	for _, u := range all {
		got.IDs = append(got.IDs, u.Id)
	}
	return got, err
}

func members(ids []string) (all []iam.ComplexValue) {
	for _, id := range ids {
		all = append(all, iam.ComplexValue{Value: id})
	}
	return all
}
