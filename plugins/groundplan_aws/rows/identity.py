"""Rows of Cognito: user pools with their clients and identity providers, and identity pools."""

from typing import Final

from groundplan_aws.resource import NODES, Gift, Resource, TagCall

_IDP: Final = f"{NODES}cognitoidp."

USER_POOL: Final = Resource(
    node_type=f"{_IDP}UserPool",
    label="user pool",
    service="cognito-idp",
    create="create_user_pool",
    made=("UserPool",),
    describe="describe_user_pool",
    listed=("UserPool",),
    id_field="Id",
    ids="UserPoolId",
    arn=("Arn",),
    listing="list_user_pools",
    listing_at=("UserPools",),
    listing_with={"MaxResults": 60},
    modify="update_user_pool",
    delete="delete_user_pool",
    delete_parameter="UserPoolId",
    tag_reading=TagCall(
        method="describe_user_pool", parameter="UserPoolId", told=("Id",), at=("UserPool", "UserPoolTags")
    ),
    path="cognito.resources.user_pool",
    fields=(
        "PoolName",
        "Policies",
        "LambdaConfig",
        "AutoVerifiedAttributes",
        "AliasAttributes",
        "UsernameAttributes",
        "SmsVerificationMessage",
        "EmailVerificationMessage",
        "EmailVerificationSubject",
        "VerificationMessageTemplate",
        "SmsAuthenticationMessage",
        "MfaConfiguration",
        "UserAttributeUpdateSettings",
        "DeviceConfiguration",
        "EmailConfiguration",
        "SmsConfiguration",
        "UserPoolTags",
        "AdminCreateUserConfig",
        "Schema",
        "UserPoolAddOns",
        "UsernameConfiguration",
        "AccountRecoverySetting",
    ),
)

_POOL: Final = Gift(parameter="UserPoolId", node_type=USER_POOL.node_type)

USER_POOL_CLIENT: Final = Resource(
    node_type=f"{_IDP}UserPoolClient",
    label="user pool client",
    service="cognito-idp",
    create="create_user_pool_client",
    made=("UserPoolClient",),
    describe="describe_user_pool_client",
    listed=("UserPoolClient",),
    id_field="ClientId",
    ids="ClientId",
    name=("ClientName",),
    scope=("UserPoolId",),
    puts=True,
    listing="list_user_pool_clients",
    listing_at=("UserPoolClients",),
    listing_with={"MaxResults": 60},
    modify="update_user_pool_client",
    delete="delete_user_pool_client",
    gifts=(_POOL,),
    path="cognito.resources.user_pool_client",
    fields=(
        "UserPoolId",
        "ClientName",
        "GenerateSecret",
        "RefreshTokenValidity",
        "AccessTokenValidity",
        "IdTokenValidity",
        "TokenValidityUnits",
        "ReadAttributes",
        "CallbackURLs",
        "ExplicitAuthFlows",
        "SupportedIdentityProviders",
        "LogoutURLs",
        "DefaultRedirectURI",
        "AllowedOAuthFlows",
        "AllowedOAuthScopes",
        "AllowedOAuthFlowsUserPoolClient",
        "AnalyticsConfiguration",
        "PreventUserExistenceErrors",
        "EnableTokenRevocation",
        "EnablePropagateAdditionalUserContextData",
        "AuthSessionValidity",
    ),
)

IDENTITY_PROVIDER: Final = Resource(
    node_type=f"{_IDP}IdentityProvider",
    label="identity provider",
    service="cognito-idp",
    create="create_identity_provider",
    made=("IdentityProvider",),
    describe="describe_identity_provider",
    listed=("IdentityProvider",),
    id_field="ProviderName",
    ids="ProviderName",
    name=("ProviderName",),
    scope=("UserPoolId",),
    puts=True,
    modify="update_identity_provider",
    delete="delete_identity_provider",
    gifts=(_POOL,),
    path="cognito.resources.identity_provider",
    fields=("UserPoolId", "ProviderName", "ProviderType", "ProviderDetails", "AttributeMapping", "IdpIdentifiers"),
)

IDENTITY_POOL: Final = Resource(
    node_type=f"{NODES}cognito.IdentityPool",
    label="identity pool",
    service="cognito-identity",
    create="create_identity_pool",
    describe="describe_identity_pool",
    id_field="IdentityPoolId",
    ids="IdentityPoolId",
    listing="list_identity_pools",
    listing_at=("IdentityPools",),
    listing_with={"MaxResults": 60},
    delete="delete_identity_pool",
    tag_reading=TagCall(
        method="describe_identity_pool", parameter="IdentityPoolId", told=("IdentityPoolId",), at=("IdentityPoolTags",)
    ),
    path="cognito.resources.identity_pool",
    fields=(
        "IdentityPoolName",
        "AllowUnauthenticatedIdentities",
        "AllowClassicFlow",
        "SupportedLoginProviders",
        "DeveloperProviderName",
        "OpenIdConnectProviderARNs",
        "CognitoIdentityProviders",
        "SamlProviderARNs",
        "IdentityPoolTags",
    ),
)

ROWS: Final = (USER_POOL, USER_POOL_CLIENT, IDENTITY_PROVIDER, IDENTITY_POOL)
