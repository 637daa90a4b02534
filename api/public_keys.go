package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// jsonWebKeySet has the name of the type in the OpenAPI document.
type jsonWebKeySet signing.JSONWebKeySet

type publicKeysInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
}

func (s *server) listPublicKeys(ctx context.Context, caller switchboard.Caller, in *publicKeysInput) (*reply[jsonWebKeySet], error) {
	sub, err := s.Store.SubscriptionWithSecrets(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	if !signing.HasPublicKeys(sub.Signature.Scheme) {
		return nil, switchboard.Errorf(switchboard.CodeNotFound, "the subscription's scheme has no public keys; %s has", signing.StandardEd25519)
	}
	return &reply[jsonWebKeySet]{Body: jsonWebKeySet(signing.JSONWebKeys(signing.PublicKeys(sub.Signature.Scheme, sub.Secrets, time.Now())))}, nil
}

// addKeys reads the secrets of a subscription. It adds since when and until when each secret signs,
// and the public keys.
func (s *server) addKeys(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription) error {
	if sub.Signature.Scheme == signing.None {
		return nil
	}
	whole, err := s.Store.SubscriptionWithSecrets(ctx, caller, sub.ID)
	sub.Secrets = whole.Secrets
	return err
}
