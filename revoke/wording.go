package revoke

// PlainReason says to the person themselves why they were signed out, as the end of a sentence that begins "because". It blames nobody.
func PlainReason(signal SignalKind) string {
	switch signal {
	case Deactivated, Deleted:
		return "your account was closed"
	case Suspended:
		return "your account was suspended"
	case Terminated:
		return "your account came to its end"
	case Reactivated:
		return "your account was opened again, and everything from before it stays signed out"
	case CredentialChanged:
		return "your password or another way of signing in was changed"
	case CredentialCompromised:
		return "your password may be known to somebody else"
	case RiskHigh, RiskRaised:
		return "something unusual was noticed about your account"
	case DeviceLost:
		return "a device was reported lost"
	case DeviceNoncompliant:
		return "a device no longer meets your organisation's rules"
	case DeviceUnenrolled:
		return "a device is no longer managed by your organisation"
	case Locked:
		return "your account was locked"
	case Unlocked, IdentifierChanged, AccessChanged:
		return "something about your account was changed"
	case SessionsCleared:
		return "you, your organisation or its sign-in service asked for it"
	default:
		return "your organisation asked for it"
	}
}
