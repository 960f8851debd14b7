package value

// MergePatch applies a JSON merge patch (RFC 7396) and returns the result; target itself does not change. A patch that is
// no object replaces the target. Of a patch that is one, a null removes the member, an object is merged into the member
// (anything but an object counts as empty there), and any other value replaces it. What Extended JSON writes as an object
// ({"$date":...}) is a scalar, also in a patch.
func MergePatch(target, patch Value) Value {
	if patch.kind != KindObject {
		return patch
	}
	var old []Member
	if target.kind == KindObject && target.kids != nil {
		old = target.kids.members
	}
	if patch.kids == nil {
		if old == nil {
			return UncheckedObject(nil)
		}
		return target
	}
	// Both lists are in canonical order, so they are merged like two sorted lists.
	out := make([]Member, 0, len(old)+len(patch.kids.members))
	for _, p := range patch.kids.members {
		for len(old) > 0 && CompareKeys(old[0].Key, p.Key) < 0 {
			out = append(out, old[0])
			old = old[1:]
		}
		var current Value
		if len(old) > 0 && old[0].Key == p.Key {
			current = old[0].Value
			old = old[1:]
		}
		if !p.Value.IsNull() {
			out = append(out, Member{p.Key, MergePatch(current, p.Value)})
		}
	}
	return UncheckedObject(append(out, old...))
}
