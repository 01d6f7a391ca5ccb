package scim

import (
	"net/http"
	"slices"
	"strings"
)

// endpointKind is what a path leads to.
type endpointKind int

const (
	endpointUsers endpointKind = iota
	endpointUser
	endpointGroups
	endpointGroup
	endpointUserSearch
	endpointGroupSearch
	endpointRoot
	endpointRootSearch
	endpointBulk
	endpointServiceProviderConfig
	endpointResourceTypes
	endpointSchemas
)

type endpoint struct {
	kind  endpointKind
	id    string // of a user, a resource type or a schema
	allow string
}

const (
	readOnly       = "GET, HEAD, OPTIONS"
	onCollection   = "GET, HEAD, POST, OPTIONS"
	onOneOfTheUser = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
	postOnly       = "POST, OPTIONS"
)

func (e endpoint) allows(method string) bool {
	return slices.Contains(strings.Split(e.allow, ", "), method)
}

// describes reports whether the endpoint says something about the server itself.
func (e endpoint) describes() bool {
	return e.kind == endpointServiceProviderConfig || e.kind == endpointResourceTypes || e.kind == endpointSchemas
}

// path is the path that the library knows the endpoint by.
func (e endpoint) path() string {
	if e.kind == endpointUser {
		return "/v2/Users/" + e.id
	}
	return "/v2/Users"
}

// route finds an endpoint in any letter case, with or without a slash at its end. What RFC 7644 has and this server has not
// yet is 501; what nobody has is 404.
func route(path string) (endpoint, error) {
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" })
	if len(parts) > 0 && fold(parts[0]) == "scim" {
		parts = parts[1:]
	}
	if len(parts) == 0 || fold(parts[0]) != "v2" {
		return endpoint{}, nowhere()
	}
	parts = parts[1:]
	if len(parts) == 0 {
		return endpoint{kind: endpointRoot, allow: readOnly}, nil
	}
	name, id := fold(parts[0]), ""
	if len(parts) > 1 {
		id = parts[1]
	}
	if name == "me" {
		return endpoint{}, notImplemented("/Me")
	}
	if len(parts) > 2 {
		return endpoint{}, nowhere()
	}
	switch {
	case name == "users" && fold(id) == ".search":
		return endpoint{kind: endpointUserSearch, allow: postOnly}, nil
	case name == "groups" && fold(id) == ".search":
		return endpoint{kind: endpointGroupSearch, allow: postOnly}, nil
	case name == ".search" && id == "":
		return endpoint{kind: endpointRootSearch, allow: postOnly}, nil
	case name == "bulk" && id == "":
		return endpoint{kind: endpointBulk, allow: postOnly}, nil
	case name == "groups" && id == "":
		return endpoint{kind: endpointGroups, allow: onCollection}, nil
	case name == "groups":
		return endpoint{kind: endpointGroup, id: id, allow: onOneOfTheUser}, nil
	case name == "users" && id == "":
		return endpoint{kind: endpointUsers, allow: onCollection}, nil
	case name == "users":
		return endpoint{kind: endpointUser, id: id, allow: onOneOfTheUser}, nil
	case (name == "serviceproviderconfig" || name == "serviceproviderconfigs") && id == "": // the plural is version 1's
		return endpoint{kind: endpointServiceProviderConfig, allow: readOnly}, nil
	case name == "resourcetypes":
		return endpoint{kind: endpointResourceTypes, id: id, allow: readOnly}, nil
	case name == "schemas":
		return endpoint{kind: endpointSchemas, id: id, allow: readOnly}, nil
	default:
		return endpoint{}, nowhere()
	}
}

func nowhere() refusal {
	return refusal{status: http.StatusNotFound, detail: "There is nothing at this path. Users are at /scim/v2/Users, groups at /scim/v2/Groups."}
}
