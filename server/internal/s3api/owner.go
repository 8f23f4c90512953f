package s3api

// owner is an account as XML shows it.
type owner struct{ id, name string }

// owner is the account of the request's credentials.
func (r *request) owner() owner {
	return owner{id: r.identity.CanonicalID, name: r.identity.Account}
}

// ownerOf describes the owner whose id is kept with an object.
func (r *request) ownerOf(id string) owner {
	o := r.owner()
	if id != "" && id != o.id {
		return owner{id: id}
	}
	return o
}

func (x *xmlBuf) owner(element string, o owner) {
	x.open(element)
	x.text("ID", o.id)
	x.optional("DisplayName", o.name)
	x.close(element)
}
